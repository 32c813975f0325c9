/** What a run shows of itself in Temporal's UI: its steps as a bounded Markdown table. */

export type StepState = 'waiting' | 'running' | 'done' | 'skipped' | 'failed' | 'needs operator';

/** One line of the table. */
export interface BoardRow {
  step: string;
  state: StepState;
  /** Figures or the reason, one line. */
  note: string;
}

/** Rows that are shown at most. Current details travel with the workflow and are bounded. */
export const TABLE_ROWS = 60;

/**
 * The rows as a Markdown table, in the order in which the steps began. When there are too many, those that a person must look at are
 * shown first, then what runs, and the others are counted.
 */
export function boardTable(rows: readonly BoardRow[]): string {
  const shown = rows.length <= TABLE_ROWS ? rows : mostUrgent(rows);
  const left = new Map<StepState, number>();
  for (const row of rows) left.set(row.state, (left.get(row.state) ?? 0) + 1);
  for (const row of shown) left.set(row.state, (left.get(row.state) ?? 0) - 1);
  const counts = [...left].flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : []));
  return [
    cells(['step', 'state', '']),
    '|---|---|---|',
    ...shown.map((row) => cells([row.step, row.state, row.note])),
    ...(counts.length > 0 ? [cells([`and ${rows.length - shown.length} more`, counts.join(', '), ''])] : []),
  ].join('\n');
}

/** Text within a line of Markdown: what would end the cell or the line, or start markup, is made harmless. */
export function harmless(text: string): string {
  const plain = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').replace(/[|\\`<>[\]]/g, '\\$&');
  return plain.length > TEXT_LIMIT ? `${plain.slice(0, TEXT_LIMIT - 1)}…` : plain;
}

/** `1.5 GiB`; whole bytes below 1 KiB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  // 1023.95 would be rounded up to 1024.0.
  while (value >= 1023.95 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

const TEXT_LIMIT = 300;
const URGENCY: readonly StepState[] = ['needs operator', 'failed', 'skipped', 'running', 'waiting', 'done'];

function mostUrgent(rows: readonly BoardRow[]): BoardRow[] {
  const rank = (row: BoardRow): number => URGENCY.indexOf(row.state);
  return [...rows].sort((a, b) => rank(a) - rank(b)).slice(0, TABLE_ROWS);
}

function cells(texts: readonly string[]): string {
  return `| ${texts.map(harmless).join(' | ')} |`;
}
