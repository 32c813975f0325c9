/** The runbook as it is written: a strict zod schema whose descriptions are also the reference (docs/runbook.md). */
import { z } from 'zod';
import { group } from './schema-group';
import * as v from './schema-values';
import { STORE_KINDS } from './types';

export const host = z
  .strictObject({
    address: v.address.optional().describe('Where ssh connects to. By default the name of the host.'),
    port: v.int({ min: 1, max: 65_535 }).default(22).describe('Port of its ssh server.'),
    user: v.unprivilegedUser
      .default('resurgo')
      .describe(
        'The unprivileged user that enrolment makes and the director logs in as: one of its own, that nobody else uses.',
      ),
    admin_user: v.user.default('root').describe("The administrator's own login there, used by `enroll` alone."),
    via: v.name.optional().describe('Name of another host in this file to jump through.'),
    labels: z.array(v.label).default([]).describe('Words to name several hosts by in `order` and `quiesce.hosts`.'),
    restore_to: z
      .array(v.path)
      .default(['/var/restore'])
      .describe('Folders that a restore into a folder (`--to`) may write below.'),
  })
  .describe('A machine: a backup source, a backup target, or a host to jump through.');

export const store = z
  .strictObject({
    host: v.name.describe('The host that holds it: the backup target.'),
    kind: z
      .enum(STORE_KINDS)
      .describe(
        '`zfs`: a dataset for each group, a snapshot for each backup. `btrfs`: a read-only subvolume for each backup. ' +
          '`hardlink`: folders on any file system.',
      ),
    place: v.place.describe('An absolute folder on that host; for `zfs` the name of a dataset, such as `tank/backup`.'),
    compression: z
      .string({ error: 'the name of a compression, such as `zstd`' })
      .optional()
      .describe(
        'btrfs: `zstd`, `zlib`, `lzo`, or with a level `zstd-3`; zfs: `zstd`, `gzip-7`, `lz4`, `lzjb`, `zle` and the like; ' +
          '`off`. By default `zstd`, and `off` for hardlink, which knows no other.',
      ),
    reserve: v.percent
      .default('5%')
      .describe('Share of its space that stays free; a backup that would need it is refused.'),
  })
  .describe('A place that holds backups.');

/** The whole file. */
export const runbookSchema = z
  .strictObject({
    version: z.literal(1, { error: 'the number 1' }).describe('Version of this format.'),
    deployment: v.deployment
      .optional()
      .describe(
        'Prefix of the host names: with `prod`, backups call host `prod-app-1` just `app-1`, so that it restores into `staging-app-1`.',
      ),
    hosts: z.record(v.nameKey, host).describe('The machines, by name.'),
    stores: z.record(v.nameKey, store).default({}).describe('Where backups are kept, by name.'),
    groups: z
      .record(v.groupKey, group)
      .default({})
      .describe('What is frozen at one instant and backed up together, by name.'),
  })
  .describe('A runbook: one YAML file that describes a fleet, and what of it is backed up where and when.');

/** A runbook as written, with defaults filled, before it is resolved. */
export type WrittenRunbook = z.output<typeof runbookSchema>;
export type WrittenHost = z.output<typeof host>;
export type WrittenStore = z.output<typeof store>;
