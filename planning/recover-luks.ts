/** Encrypted volumes of a recovery: which come back by their header, as they were, and which with a new key. Pure. */
import { PlanningError } from './errors';
import type { Luks } from './layout-storage';
import { headerOf, type LuksHeader } from './luks-headers';
import type { RecoveryPolicy } from './recover-machine';
import type { RecoveryStep } from './recover-plan';
import { floorTo } from './recover-table';
import { list, printable, size } from './recover-words';

interface Volumes {
  luks: Luks[];
}

/** The layout without the headers of those volumes that the operator wants with a new key. @throws PlanningError for one that is none */
export function withNewKeys<L extends Volumes>({
  layout,
  newKeys = [],
}: { layout: L } & Pick<RecoveryPolicy, 'newKeys'>): L {
  if (newKeys.length === 0) return layout;
  const stranger = newKeys.find((name) => !layout.luks.some((luks) => isCalled(luks, name)));
  if (stranger !== undefined)
    throw new PlanningError({
      code: 'not-found',
      message: printable(`the layout has no encrypted volume ${stranger}`),
      next: printable(`Name one of ${list(layout.luks.map(({ name, uuid }) => name ?? uuid))}`),
    });
  const luks = layout.luks.map((each) =>
    newKeys.some((name) => isCalled(each, name)) ? { ...each, header: null } : each,
  );
  return { ...layout, luks };
}

function isCalled({ name, uuid }: Luks, word: string): boolean {
  return name === word || uuid === word;
}

/** A volume on its new device. */
export interface PlacedLuks {
  /** Without its header where that does not fit. */
  luks: Luks;
  /** Of the mapping. */
  inside: number;
  warnings: string[];
  blockers: string[];
}

/** `now` and `was` are bytes of the device below, `insideWas` those of the mapping. */
export function placedLuks(input: {
  luks: Luks;
  now: number;
  was: number;
  insideWas: number;
  sectorBytes: number;
}): PlacedLuks {
  const { luks, now, was, insideWas, sectorBytes } = input;
  const called = luks.name ?? luks.uuid;
  const warnings: string[] = [];
  const blockers: string[] = [];
  const blocked = (why: string) => blockers.push(printable(`${called}: ${why}`));
  if (luks.dataOffsetBytes % sectorBytes !== 0)
    blocked(`its data begins within a sector of ${sectorBytes} bytes. Use a disk with smaller sectors`);
  if (now === was) return { luks, inside: insideWas, warnings, blockers };
  if ((now - luks.dataOffsetBytes) % luks.sectorBytes !== 0)
    blocked(
      `it is encrypted in sectors of ${luks.sectorBytes} bytes, which don't fill its device of ${now} bytes evenly. Use another disk`,
    );
  const room = (bytes: number) => floorTo(bytes - luks.dataOffsetBytes, luks.sectorBytes);
  const whole = {
    luks: { ...luks, bytes: luks.bytes === null ? null : room(now) },
    inside: room(now),
    warnings,
    blockers,
  };
  // Its header says how large it is, instead of all that there is.
  const isFixed = luks.header !== null && luks.bytes !== null && luks.bytes < room(was);
  if (!isFixed) return whole;
  if (room(now) >= (luks.bytes ?? 0)) return { luks, inside: luks.bytes ?? 0, warnings, blockers };
  warnings.push(
    printable(
      `${called}: its header is for a volume of ${size(luks.bytes ?? 0)} and there is room for ${size(room(now))}, so it gets a new key under the passphrase that is given, which is tried on that header first; the others open it no more`,
    ),
  );
  return { ...whole, luks: { ...whole.luks, header: null } };
}

type HeaderStep = Extract<RecoveryStep, { kind: 'luks-restore' }>;

/**
 * The steps whose passphrase is tried on the header that the backup has, before anything is written: of those volumes that come back by it, and
 * of those that it does not fit. The passphrase of these was asked for as one that opens, and becomes the only one.
 */
export function triedOnHeaders(input: {
  steps: readonly RecoveryStep[];
  headers: readonly LuksHeader[];
  newKeys: readonly string[] | undefined;
}): HeaderStep[] {
  const { steps, headers, newKeys = [] } = input;
  return steps.flatMap((step): HeaderStep[] => {
    if (step.kind === 'luks-restore') return [step];
    if (step.kind !== 'luks-format') return [];
    const { uuid } = step.luks;
    const found = headers.find((each) => each.uuid === uuid);
    if (found === undefined || newKeys.includes(uuid) || newKeys.includes(step.name)) return [];
    return [{ ...step, kind: 'luks-restore', header: headerOf(found) }];
  });
}

/** What is said of each volume before anything is written. `storage` is as planned, `layout` as the backup has it. */
export function luksWarnings(input: { layout: Volumes; storage: Volumes } & Pick<RecoveryPolicy, 'newKeys'>): string[] {
  const { layout, storage, newKeys = [] } = input;
  return storage.luks.flatMap((luks) => {
    const name = luks.name ?? luks.uuid;
    const warnings: string[] = [];
    const isAsked = newKeys.some((word) => isCalled(luks, word));
    const had = layout.luks.find(({ id }) => id === luks.id)?.header !== null;
    if (luks.header === null && (isAsked || !had)) {
      const why = isAsked ? 'as asked for,' : 'the backup has no header of it, so';
      warnings.push(`${name}: ${why} it gets a new key and the passphrase that is given; old ones open it no more`);
    }
    if (luks.tokens.length > 0)
      warnings.push(`${name}: ${list(luks.tokens)} may not open it on other hardware; have the passphrase ready`);
    if (luks.bytes === null) warnings.push(`${name} was not open at the backup: it comes back without anything in it`);
    return warnings.map(printable);
  });
}
