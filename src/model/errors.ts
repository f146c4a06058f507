/** Trouble the user can mend. `code` is a word that cli/exit.ts maps to a status. */
export type UserErrorCode =
  | 'usage'
  | 'noinput'
  | 'unrecognised'
  | 'declined'
  | 'unmergeable'
  | 'store'
  | 'cannot-write';

export class UserError extends Error {
  readonly code: UserErrorCode;
  readonly hint: string | undefined;

  constructor(code: UserErrorCode, message: string, hint?: string) {
    super(message);
    this.name = 'UserError';
    this.code = code;
    this.hint = hint;
  }
}
