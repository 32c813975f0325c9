/** The layouts of a run's hosts: looked at before the freeze, and given to the store, which seals them with the backup. Only looking: nothing waits for it. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HostError } from '../hosts/errors';
import { MAX_LINE_BYTES } from '../hosts/request';
import { layoutFacts } from '../hosts/verbs/reading';
import { putLayout } from '../hosts/verbs/store';
import { canonicalJson } from '../planning/canonical';
import { readLayout } from '../planning/layout-read';
import type { Layout } from '../planning/layout-schema';
import { unsavedLimits } from '../planning/layout-unsaved';
import { recoverability, unkept, type LayoutEntry } from '../planning/recoverable';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating, jobSignal } from './context';
import type { StoreInput } from './store';

export interface LayoutsInput extends StoreInput {
  hosts: FleetHost[];
  /** Names of those that are backed up as whole systems. Missing in runs that began before they were told. */
  systems?: string[];
}

export interface Layouts {
  layouts: LayoutEntry[];
  warnings: string[];
}

/** Hosts that are asked side by side. */
const AT_ONCE = 64;
/** Of a layout in base64: what a line of a request takes besides its key. */
const MOST_CHARS = MAX_LINE_BYTES - 1024;
/** So many things of a host that are in no backup are told. */
const MOST_TOLD = 10;

/** Makes the activity `captureLayouts`. */
export function layoutActivities({ hosts }: ActivityDeps) {
  async function captureLayouts(input: LayoutsInput): Promise<Layouts> {
    const signal = jobSignal();
    const step = 'layouts';
    const warnings: string[] = [];
    const target = { name: input.store.host.name, keeps: true };
    const lost = ({ host, why }: { host: FleetHost; why: string }): LayoutEntry => {
      warnings.push(`the layout of ${host.name} is not in this backup: ${why}`);
      return unkept({ host: host.short, why: `its layout is not in the backup: ${why}` });
    };

    /** What broke in the middle is asked once more: an sshd may have restarted. */
    const asked = (host: FleetHost) => {
      const on = { hosts, host, step, signal };
      return layoutFacts(on).catch((error: unknown) => {
        if (error instanceof HostError && error.code === 'connection-lost') return layoutFacts(on);
        throw error;
      });
    };

    const one = async (host: FleetHost): Promise<LayoutEntry> => {
      let bytes: Buffer;
      let verdict: ReturnType<typeof recoverability>;
      try {
        const facts = await asked(host);
        const layout = readLayout({ facts, host: host.short, capturedAt: new Date() });
        verdict = recoverability(layout);
        if (input.systems?.includes(host.name) === true) warnings.push(...unsavedWarning({ host, layout }));
        bytes = Buffer.from(canonicalJson(layout));
      } catch (error) {
        // Whatever a host says or does not say costs its layout, never the backup.
        if (signal.aborted) throw error;
        return lost({ host, why: error instanceof HostError ? `${error.reason}. ${error.next}` : String(error) });
      }
      const packed = await promisify(gzip)(bytes, { level: 9 });
      if (packed.length * (4 / 3) > MOST_CHARS)
        return lost({ host, why: `it is too large to be kept (${packed.length} bytes, compressed)` });
      if (target.keeps) target.keeps = await put(host, packed);
      if (!target.keeps)
        return unkept({ host: host.short, why: 'layouts are not kept: the hostkit of the target is too old' });
      return { host: host.short, sha256: createHash('sha256').update(bytes).digest('hex'), ...verdict };
    };

    /** False where the target's hostkit is of before layouts were kept. */
    const put = async (host: FleetHost, gzipped: Buffer): Promise<boolean> => {
      const { store } = input;
      const fence = fenceFor({ fence: input.fence, step: `layout ${host.short}` });
      try {
        const on = { hosts, host: store.host, step, signal, fence, store: store.name };
        await putLayout({ ...on, layoutHost: host.short, gzip: gzipped });
        return true;
      } catch (error) {
        if (error instanceof HostError && error.code === 'hostkit-old') return false;
        throw error;
      }
    };

    const layouts = await forEachLimited({ items: input.hosts, limit: AT_ONCE, each: one });
    if (!target.keeps)
      warnings.push(`layouts are not kept: update the target's hostkit (resurgo enroll ${target.name} --update)`);
    return { layouts, warnings: warnings.sort() };
  }

  return {
    captureLayouts: (input: LayoutsInput) => asActivity(() => heartbeating({ body: () => captureLayouts(input) })),
  };
}

/** What of a whole system is in no backup, in one line: it is told every time, as nobody may know of it. */
function unsavedWarning({ host, layout }: { host: FleetHost; layout: Layout }): string[] {
  const found = unsavedLimits(layout).map(({ what, why }) => `${what}: ${why}`);
  const more = found.length - MOST_TOLD;
  const told = [...found.slice(0, MOST_TOLD), ...(more > 0 ? [`and ${more} more`] : [])];
  return found.length === 0 ? [] : [`${host.name}: ${told.join('; ')}`];
}
