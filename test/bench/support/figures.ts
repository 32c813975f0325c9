/** What a bench says: rows of samples with their median, the goal if there is one, and the verdict; as JSON and as a Markdown table. */

/** What a figure is measured in. */
export type Unit = 's' | 'ms' | '×' | '%' | 'MiB' | 'MiB/s' | 'count';

export interface Row {
  what: string;
  unit: Unit;
  samples: number[];
  median: number;
  /** At most this much, in the row's unit. */
  goal?: number;
  met?: boolean;
}

export interface Figure {
  title: string;
  /** How it was measured, for whoever reads the table alone. */
  how: string;
  rows: Row[];
}

export interface BenchOptions {
  rounds: number;
  /** `full` is what the goals are about; `small` is a tenth, for trying the bench itself. */
  size: 'full' | 'small';
  /** The programs to compare a copy with; what is left out has no rows. */
  against: readonly string[];
  /** Says what goes on. */
  say: (text: string) => void;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (low === undefined || high === undefined) throw new Error('a median of nothing');
  return (low + high) / 2;
}

/** A row from its samples. */
export function row({
  goal,
  ...options
}: {
  what: string;
  unit: Unit;
  samples: number[];
  goal?: number | undefined;
}): Row {
  const middle = median(options.samples);
  return { ...options, median: middle, ...(goal === undefined ? {} : { goal, met: middle <= goal }) };
}

/** Round by round ours / theirs: both ran side by side, so a machine whose speed drifts does not change the ratio. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  return ours.map((value, round) => {
    const other = theirs[round];
    if (other === undefined || other <= 0) throw new Error(`round ${round + 1} has nothing to compare with`);
    return value / other;
  });
}

/** The figures as Markdown, one table each. */
export function markdown(figures: readonly Figure[]): string {
  return figures.map(section).join('\n\n');
}

function section({ title, how, rows }: Figure): string {
  const lines = rows.map((each) => {
    const goal = each.goal === undefined ? '' : `≤ ${shown(each.goal)} ${each.unit}`;
    const verdict = each.met === undefined ? '' : each.met ? 'met' : `missed by ${missedBy(each)}`;
    const samples = each.samples.map(shown).join(' · ');
    return `| ${each.what} | ${shown(each.median)} ${each.unit} | ${samples} | ${goal} | ${verdict} |`;
  });
  return [`### ${title}`, '', how, '', '| | median | rounds | goal | |', '|---|---|---|---|---|', ...lines].join('\n');
}

function missedBy({ median: middle, goal = 0, unit }: Row): string {
  return `${shown(middle - goal)} ${unit}`;
}

function shown(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}
