/** Apart from the schemas themselves so that producing a document does not load zod. */
export const SCHEMA = 'modlife/findings@1';
export const DIFF_SCHEMA = 'modlife/diff@1';
export const SUPPRESSIONS_SCHEMA = 'modlife/suppressions@1';
/** In a capture directory. */
export const MANIFEST_FILE = 'manifest.json';
