/**
 * What a restore sees before it changes anything: the backup, every destination, and what would change there; and once more between the
 * approval and the first stop, since days may lie between the plan and its approval.
 */
import { ApplicationFailure, patched } from '@temporalio/workflow';
import type { RestoreItemRef } from '../activities/restore-item';
import { counted } from '../planning/counted';
import type { Manifest } from '../planning/manifest';
import { selectSources } from '../planning/restore';
import type { DestinationCheck, SelectedSource, Selection } from '../planning/restore';
import { deletionLimit } from '../planning/restore-approval';
import { mountsChanged } from '../planning/restore-mounts';
import type { RestoreInput } from '../planning/run-input';
import type { Board } from './board';
import type { StepFailure } from './failures';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { bulk, quick } from './options';
import { HOSTS_AT_ONCE } from './restore-hosts';
import { deletesAt, destinations, keyOf, protectionOf, storeOf } from './restore-items';
import type { Item } from './restore-items';
import { sideBySide } from './side-by-side';

/** Counts at the same time: each reads a whole tree on the store's host. */
const COUNTS_AT_ONCE = 16;

/** What a plan is made of. */
export interface Gathered {
  items: Item[];
  selection: Selection;
  unplaced: string[];
}

export class RestoreLook {
  constructor(private readonly parts: { input: RestoreInput; board: Board; gate: OperatorGate; lease: LeaseKeeper }) {}

  async readBackup(): Promise<Manifest> {
    const { input } = this.parts;
    const { manifest } = await this.parts.board.step('read backup', () =>
      this.must('read backup', () =>
        quick.readBackup.executeWithOptions({ summary: input.id }, [
          { group: input.from.group, store: storeOf(input), id: input.id },
        ]),
      ),
    );
    return manifest;
  }

  /** Chooses, maps and looks at every destination; counts what would change. Changes nothing. */
  async gather({ manifest, away: gone }: { manifest: Manifest; away: ReadonlySet<string> }): Promise<Gathered> {
    const selection = selectSources({ manifest, ...this.parts.input.select });
    const { places: refs, unplaced } = destinations({ input: this.parts.input, selection });
    const away = refs.find(({ ref }) => gone.has(ref.destination.host.name));
    if (away !== undefined)
      throw ApplicationFailure.nonRetryable(
        `${away.ref.destination.host.name} can't be reached. Bring it up, or leave it out with --host`,
        'unreachable',
      );
    const items = await this.parts.board.step('look and count', () =>
      sideBySide({
        items: refs,
        limit: COUNTS_AT_ONCE,
        each: (place) => this.look({ ...place, manifest, selection }),
      }),
    );
    return { items, selection, unplaced };
  }

  private async look(place: {
    ref: RestoreItemRef;
    selected: SelectedSource;
    manifest: Manifest;
    selection: Selection;
  }): Promise<Item> {
    const { selected, manifest, selection } = place;
    const { input } = this.parts;
    const { tree, subpath, id } = place.ref.backup;
    const name = keyOf(place);
    const { single } =
      subpath === null
        ? { single: false }
        : await this.must(
            `look up ${subpath}`,
            () =>
              quick.lookUp.executeWithOptions({ summary: subpath }, [{ store: place.ref.store, id, tree, subpath }]),
            // A mistyped path is this run's for good: asking would only keep the group from the restore that has the right one.
            ({ code }) => code !== 'not-found',
          );
    const plain = { ...place.ref, single };
    const check = await this.lookAt(plain);
    // What is protected is known now, and the count must see it.
    const ref = { ...plain, protect: protectionOf({ ref: plain, selected, check, input, manifest, selection }) };
    if (!check.allowed || !check.mounted) return { ref, selected, check, dryRun: { files: 0, bytes: 0, deletions: 0 } };
    const dryRun = await this.must(`count ${name}`, (round) =>
      bulk.countRestore.executeWithOptions({ summary: name }, [{ fence: this.parts.lease.fence(round), item: ref }]),
    );
    return { ref, selected, check, dryRun };
  }

  /** An approval may come days after the plan: a disk that has gone meanwhile, or come, is seen before anything is stopped. */
  async lookAgain(items: Item[]): Promise<void> {
    await this.parts.board.step('look again', () =>
      sideBySide({
        items,
        limit: HOSTS_AT_ONCE,
        each: async (item) => {
          const now = await this.lookAt(item.ref);
          const mounts = mountsChanged({ planned: item.check, now, single: item.ref.single });
          if (now.allowed && now.mounted && now.fsUuid === item.check.fsUuid && mounts === undefined) return;
          const why =
            now.reason ??
            mounts ??
            `it lies on the file system ${now.fsUuid || 'unknown'} now, not on ${item.check.fsUuid}`;
          throw ApplicationFailure.nonRetryable(
            `${keyOf(item)} is not what the plan was made for: ${why}. Restore again, and read the new plan`,
            'plan-changed',
          );
        },
      }),
    );
    await this.countAgain(items);
  }

  /** What a person has read may be days old: what was written there since is not deleted on the strength of an old count. */
  private async countAgain(items: Item[]): Promise<void> {
    // Approved beforehand: the count is as fresh as the plan.
    if (this.parts.input.approve !== null) return;
    // A restore that was begun by an earlier version goes on without.
    if (!patched('count-again')) return;
    await this.parts.board.step('count again', () =>
      sideBySide({
        items: items.filter(({ ref }) => deletesAt(ref)),
        limit: COUNTS_AT_ONCE,
        each: async ({ ref, dryRun: { deletions } }) => {
          const name = keyOf({ ref });
          const now = await this.must(`count ${name} again`, (round) =>
            bulk.countRestore.executeWithOptions({ summary: `${name}, again` }, [
              { fence: this.parts.lease.fence(round), item: ref, again: true },
            ]),
          );
          if (now.deletions <= deletionLimit(deletions)) return;
          throw ApplicationFailure.nonRetryable(
            `${name} is not what the plan was made for: ${counted(now.deletions, 'entry', 'entries')} would be deleted there now, and ${deletions} when it was made. Nothing was stopped; restore again, and read the new plan`,
            'plan-changed',
          );
        },
      }),
    );
  }

  /** A step that a plan needs. Where only the plan was wanted nobody is asked: waiting would keep the group from every backup for nothing. */
  private must<T>(
    step: string,
    attempt: (round: number) => Promise<T>,
    worthAsking: (failure: StepFailure) => boolean = () => true,
  ): Promise<T> {
    return this.parts.gate.must(step, attempt, (failure) => !this.parts.input.planOnly && worthAsking(failure));
  }

  private lookAt(ref: RestoreItemRef): Promise<DestinationCheck> {
    const name = keyOf({ ref });
    return this.must(`look at ${name}`, (round) =>
      quick.checkDestination.executeWithOptions({ summary: name }, [
        { fence: this.parts.lease.fence(round), item: ref },
      ]),
    );
  }
}
