/**
 * SQLite, by the better-sqlite3 that this Node bears: 13 crashes before Node 22, and 12 is aborted by Node 24.19 and
 * later when the garbage collection frees a statement.
 */
import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

const require = createRequire(import.meta.url);

export const Sqlite: typeof Database =
  Number.parseInt(process.versions.node, 10) < 22 ? require('better-sqlite3') : require('better-sqlite3-13');
