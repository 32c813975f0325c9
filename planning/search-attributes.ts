/** The search attributes by which runs are found in the Temporal UI: names and value types only, so that workflow code may read them. */

/** One search attribute: its name on the server and the type of its value. */
export interface SearchAttribute {
  readonly name: string;
  readonly type: 'KEYWORD' | 'BOOL';
}

/**
 * All search attributes of Resurgo. The embedded server's SQLite file holds 10 of type KEYWORD and 3 of each other type, so a
 * new one is a decision, not a habit. A value holds about 2 KB: `host` is for runs about one host, never a list of a fleet.
 */
export const SEARCH_ATTRIBUTES = {
  /** The protection group's name. */
  group: { name: 'ResurgoGroup', type: 'KEYWORD' },
  /** The backup's id, `YYYYMMDD_HHMMSS` in UTC. */
  backupId: { name: 'ResurgoBackupId', type: 'KEYWORD' },
  /** How the run ended: `Completed`, `Partial` or `Failed`. */
  outcome: { name: 'ResurgoOutcome', type: 'KEYWORD' },
  /** True while the run waits for a person. */
  needsOperator: { name: 'ResurgoNeedsOperator', type: 'BOOL' },
  /** The host that the run is about, when it is about one. */
  host: { name: 'ResurgoHost', type: 'KEYWORD' },
  /** The runbook's name. */
  runbook: { name: 'ResurgoRunbook', type: 'KEYWORD' },
} as const satisfies Record<string, SearchAttribute>;
