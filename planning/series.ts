/**
 * Which runs exclude each other. A group's backups, restores and prunes are one series; its rescue media are another, with a lease and a
 * fence of their own: they lie beside the backups and share nothing with them, so no image waits for a backup that runs for hours.
 */

const RESCUE = '.rescue';

/** The series of a group's rescue media, as the hosts name it; no group's name holds a dot. */
export function rescueSeries(group: string): string {
  return `${group}${RESCUE}`;
}

/** The group of any series. */
export function groupOf(series: string): string {
  return series.endsWith(RESCUE) ? series.slice(0, -RESCUE.length) : series;
}
