/** How far a run is: rows per source, their sum, and the table that Temporal's UI shows as current details. */

export type ProgressState = 'waiting' | 'running' | 'done' | 'failed' | 'missing' | 'needs operator';

export interface ProgressRow {
  host: string;
  /** The source's name; empty for a step of the whole host. */
  source: string;
  /** What is being done: `copy`, `listing`, … */
  step: string;
  state: ProgressState;
  bytes: number;
  /** 0 when it is not known. */
  totalBytes: number;
  /** Bytes a second, smoothed; 0 when it is not known. */
  bytesPerS: number;
  note?: string;
}

export interface ProgressSum {
  bytes: number;
  totalBytes: number;
  bytesPerS: number;
  /** 0–100, or null while no total is known. */
  percent: number | null;
  etaS: number | null;
  done: number;
  rows: number;
}

/** The rows summed up. The ETA is that of all bytes at the present rate, or of the slowest row where that is later. */
export function sumProgress(rows: readonly ProgressRow[]): ProgressSum {
  const add = (pick: (row: ProgressRow) => number): number => rows.reduce((total, row) => total + pick(row), 0);
  const bytes = add((row) => row.bytes);
  const totalBytes = add((row) => Math.max(row.totalBytes, row.bytes));
  const running = rows.filter((row) => row.state === 'running');
  const bytesPerS = running.reduce((total, row) => total + row.bytesPerS, 0);
  const slowest = running
    .map(etaS)
    .reduce<number | null>((late, eta) => (eta === null ? late : Math.max(late ?? 0, eta)), null);
  const open = rows.filter((row) => row.state === 'waiting' || row.state === 'running');
  const rest = open.reduce((total, row) => total + Math.max(0, row.totalBytes - row.bytes), 0);
  const all = bytesPerS > 0 ? Math.ceil(rest / bytesPerS) : null;
  return {
    bytes,
    totalBytes,
    bytesPerS,
    percent: percentOf({ bytes, totalBytes }),
    etaS: all === null ? slowest : Math.max(all, slowest ?? 0),
    done: rows.filter((row) => row.state === 'done').length,
    rows: rows.length,
  };
}

/** Seconds until a row is done at its rate; null when that can't be told. */
export function etaS({
  bytes,
  totalBytes,
  bytesPerS,
}: Pick<ProgressRow, 'bytes' | 'totalBytes' | 'bytesPerS'>): number | null {
  if (bytesPerS <= 0 || totalBytes <= 0) return null;
  return Math.max(0, Math.ceil((totalBytes - bytes) / bytesPerS));
}

/** One look at a running copy. */
export interface ProgressSample {
  atMs: number;
  bytes: number;
  bytesPerS: number;
}

/** Smooths the rate over about 10 seconds; a copy that began anew (fewer bytes than before) starts from 0. */
export function nextSample({
  previous,
  atMs,
  bytes,
}: {
  previous: ProgressSample | undefined;
  atMs: number;
  bytes: number;
}): ProgressSample {
  if (previous === undefined || bytes < previous.bytes) return { atMs, bytes, bytesPerS: 0 };
  const seconds = (atMs - previous.atMs) / 1000;
  if (seconds <= 0) return previous;
  const now = (bytes - previous.bytes) / seconds;
  const weight = previous.bytesPerS === 0 ? 1 : 1 - Math.exp(-seconds / 10);
  return { atMs, bytes, bytesPerS: Math.round(previous.bytesPerS + weight * (now - previous.bytesPerS)) };
}

/** Rows that are shown at most; the others are counted. Current details travel with the workflow and are bounded. */
export const TABLE_ROWS = 60;

/** The rows as a Markdown table, what needs a person first, what is done last; ends with the sum. */
export function detailsTable(rows: readonly ProgressRow[]): string {
  const sorted = [...rows].sort(
    (a, b) => URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || (name(a) < name(b) ? -1 : 1),
  );
  const shown = sorted.slice(0, TABLE_ROWS);
  const sum = sumProgress(rows);
  const lines = shown.map((row) => {
    const percent = percentOf(row);
    const amount =
      row.totalBytes > 0 ? `${formatBytes(row.bytes)} of ${formatBytes(row.totalBytes)}` : formatBytes(row.bytes);
    const rate = row.state === 'running' && row.bytesPerS > 0 ? `${formatBytes(row.bytesPerS)}/s` : '';
    const eta = row.state === 'running' ? formatSeconds(etaS(row)) : '';
    const state = row.note === undefined || row.note === '' ? row.state : `${row.state}: ${row.note}`;
    return cells([name(row), row.step, state, amount, percent === null ? '' : `${percent} %`, rate, eta]);
  });
  const left = sorted.length - shown.length;
  return [
    cells(['source', 'step', 'state', 'bytes', '', 'rate', 'ETA']),
    '|---|---|---|---:|---:|---:|---:|',
    ...lines,
    ...(left > 0 ? [cells([`… and ${left} more`, '', '', '', '', '', ''])] : []),
    cells([
      `**${sum.done} of ${sum.rows} done**`,
      '',
      '',
      `${formatBytes(sum.bytes)} of ${formatBytes(sum.totalBytes)}`,
      sum.percent === null ? '' : `${sum.percent} %`,
      sum.bytesPerS > 0 ? `${formatBytes(sum.bytesPerS)}/s` : '',
      formatSeconds(sum.etaS),
    ]),
  ].join('\n');
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

/** `45 s`, `3 min 20 s`, `2 h 5 min`; empty for null. */
export function formatSeconds(seconds: number | null): string {
  if (seconds === null) return '';
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  return hours === 0 ? `${minutes} min ${whole % 60} s` : `${hours} h ${minutes % 60} min`;
}

const URGENCY: readonly ProgressState[] = ['needs operator', 'failed', 'missing', 'running', 'waiting', 'done'];

/** Rounded down: 100 only when all is there. */
function percentOf({ bytes, totalBytes }: { bytes: number; totalBytes: number }): number | null {
  return totalBytes > 0 ? Math.min(100, Math.floor((bytes / totalBytes) * 100)) : null;
}

function name({ host, source }: ProgressRow): string {
  return source === '' ? host : `${host}:${source}`;
}

/** One row; what would end a cell or a line, or start markup, is made harmless. */
function cells(texts: readonly string[]): string {
  return `| ${texts.map(harmless).join(' | ')} |`;
}

function harmless(text: string): string {
  const plain = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').replace(/[|\\`<>[\]]/g, '\\$&');
  return plain.length > 200 ? `${plain.slice(0, 199)}…` : plain;
}
