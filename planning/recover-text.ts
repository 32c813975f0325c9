/** The recovery plan for a person's eyes: every disk with what happens to it, what will lie on it, and the steps. */
import { isKnownThisBoot } from './recover-identity';
import type { PlannedDisk, PlanNode, RecoveryPlan } from './recover-plan';
import { SHORT_HASH } from './restore-approval';
import { printable, size } from './recover-words';

/** The whole plan as text. */
export function recoveryText(plan: RecoveryPlan): string {
  return [
    printable(`Recovery of ${plan.host} from backup ${plan.backup}`),
    '',
    ...diskTable(plan.disks),
    ...plan.disks.filter((disk) => disk.fate === 'overwritten').flatMap((disk) => ['', ...beforeAfter(disk, plan)]),
    ...section(
      'Steps',
      plan.steps.map((step, i) => `${i + 1}. ${step.says}`),
    ),
    ...section('Warnings', plan.warnings),
    ...section('NOT POSSIBLE', plan.blockers),
    '',
    printable(plan.blockers.length > 0 ? 'Nothing is written.' : `Plan ${plan.hash.slice(0, SHORT_HASH)}`),
  ].join('\n');
}

/** Every disk in a line, the chosen ones first. */
function diskTable(disks: readonly PlannedDisk[]): string[] {
  const chosenFirst = [...disks].sort((a, b) => Number(b.takesPlaceOf !== null) - Number(a.takesPlaceOf !== null));
  const rows = chosenFirst.map((disk) => [
    disk.name,
    size(disk.bytes),
    isKnownThisBoot(disk) ? 'none' : (disk.serial ?? disk.wwn ?? '-'),
    disk.model ?? '-',
    disk.contents.length === 0 ? 'blank' : disk.contents.join(', '),
    disk.takesPlaceOf === null ? 'LEFT ALONE' : `OVERWRITTEN as ${disk.takesPlaceOf}`,
    disk.why,
  ]);
  return columns([['disk', 'size', 'serial', 'model', 'holds now', 'what happens', 'why'], ...rows]);
}

function beforeAfter(disk: PlannedDisk, { after }: RecoveryPlan): string[] {
  const tree = after.find((each) => each.disk === disk.name);
  const now = disk.contents.length === 0 ? 'nothing' : disk.contents.join(', ');
  const head = `${disk.name} (${size(disk.bytes)})`;
  if (tree === undefined) return [printable(`${head}: now ${now}`)];
  const what = tree.what.replace(/^\S+\s*/, '');
  const was = `${disk.takesPlaceOf ?? ''} of ${size(tree.wasBytes ?? disk.bytes)}`;
  return [
    printable(head),
    printable(`  before  ${now}`),
    printable(`  after   ${what === '' ? 'whole disk' : what}, as ${was}`),
    ...tree.nodes.flatMap((node, i) => branch({ node, indent: '          ', isLast: i === tree.nodes.length - 1 })),
  ];
}

function branch({ node, indent, isLast }: { node: PlanNode; indent: string; isLast: boolean }): string[] {
  const sized = node.bytes === null ? '' : `  ${size(node.bytes)}${change(node)}`;
  const below = `${indent}${isLast ? '   ' : '│  '}`;
  return [
    printable(`${indent}${isLast ? '└─ ' : '├─ '}${node.what}${sized}`),
    ...node.nodes.flatMap((each, i) => branch({ node: each, indent: below, isLast: i === node.nodes.length - 1 })),
  ];
}

function change({ wasBytes }: PlanNode): string {
  return wasBytes === null ? '' : ` (was ${size(wasBytes)})`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${printable(line)}`)];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => Array.from(row[i] ?? '').length)));
  return cells.map((row) =>
    row
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - Array.from(cell).length))
      .join('  ')
      .trimEnd(),
  );
}
