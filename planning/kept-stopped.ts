/** What is said of workloads that stay stopped when a restore or a hand starts its own: another one of the host needs them stopped. */

export interface KeptStopped {
  name: string;
  /** The restore, or the stop by hand, that starts it when it ends. */
  by: string;
}

/** One line for each that keeps something. */
export function keptStopped(kept: readonly KeptStopped[]): string[] {
  return [...new Set(kept.map(({ by }) => by))].map((by) => {
    const names = [...new Set(kept.filter((each) => each.by === by).map(({ name }) => name))];
    return `${names.join(', ')}: kept stopped by ${by}, whose end starts it`;
  });
}
