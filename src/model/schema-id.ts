/** Apart from report.ts so that producing a report does not load zod. */
export const SCHEMA = 'modlife/findings@1';
