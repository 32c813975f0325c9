/** The schema of a group: its sources, how it is quiesced, copied, kept, restored, and who hears of it. */
import { z } from 'zod';
import * as v from './schema-values';
import { NOTIFY_EVENTS, RESCUE_MODULES, RESCUE_NETWORKS, RESCUE_OUTPUTS, SNAPSHOT_KINDS } from './types';

export const source = z
  .strictObject({
    host: v.name.describe('The host that has the data.'),
    path: v.path.describe('Absolute path of the folder.'),
    name: v.name.optional().describe('Unique on its host within the group. By default the last part of the path.'),
    snapshot: z
      .enum(SNAPSHOT_KINDS)
      .describe(
        'How the instant is held: `btrfs` (the path lies in a subvolume), `zfs` (in a dataset), or `none`: a live copy, labelled ' +
          'so, that is not of one instant. `lvm` and `lvm-thin`: the path lies in an ext or XFS file system on a logical volume. ' +
          '`system`: the whole machine, all its own file systems, each held by the kind that fits it; the path is `/`. ' +
          '`gluster` arrives with later work.',
      ),
    exclude: z
      .array(v.pattern)
      .default([])
      .describe('rsync patterns of what is left out, relative to the path. A restore protects it from deletion.'),
    snapshot_room: v.percent
      .default('10%')
      .describe(
        'With `lvm` and `system`: how much of a volume may be overwritten while its snapshot stands, as room in the volume group. It grows when it fills. `0%` with `system`: no such snapshots, these file systems are read live.',
      ),
    luks_headers: z
      .boolean()
      .default(true)
      .describe(
        'With `system`: whether the headers of its encrypted volumes are in the backup, so that they come back with all their keys. A header is a secret of a kind ([security](security.md#luks-headers)). Without, such a volume comes back with a new key.',
      ),
    shrink_limit: v.percent
      .default('50%')
      .describe('If the source lost more than this share since the last backup, the run waits for a person.'),
  })
  .describe('A folder on a host.');

/** A program on a host; `given` says what it is called with. */
const command = (given: string) =>
  z
    .strictObject({
      host: v.name.describe('Where it runs.'),
      name: v.name.describe('Unique on its host among its kind.'),
      command: v.program.describe(`Absolute path of a program, root-owned there, written without arguments. ${given}`),
      timeout: v
        .duration({ min: '1s', max: '1d' })
        .default('60s')
        .describe('It is ended and counts as failed after this.'),
    })
    .describe('A program on a host, allowed there at enrolment.');

const hook = command('It is called with three: `before` or `after`, the group, the run.');
const healthCheck = command('It is called with none.');

const unit = z
  .strictObject({
    host: v.name.describe('Where it runs.'),
    name: v.unitName.describe('With its suffix: `postgresql.service`.'),
    by: z.enum(['stop', 'freeze']).describe('`stop` and start again, or `freeze` its processes (needs cgroup v2).'),
  })
  .describe('A systemd unit.');

const labelled = z
  .strictObject({ label: v.containerLabel.describe('`key=value`.') })
  .describe('Containers with a label.');

const quiesce = z
  .strictObject({
    max_pause: v
      .duration({ min: '1s', max: '10m' })
      .default('30s')
      .describe("The dead-man's limit: whatever happens, each host lets everything run again after this."),
    containers: z
      .union([z.enum(['all', 'none']), labelled])
      .default('all')
      .describe('Which containers are paused: `all`, `none`, or `{ label: "key=value" }`.'),
    exempt: z
      .array(labelled)
      .default([])
      .describe('Containers never touched. Those with `resurgo.engine=true`, our own engine, never are.'),
    hosts: z
      .array(v.name)
      .default([])
      .describe('Hosts (by name or label) that are paused with the others although they have no source here.'),
    units: z.array(unit).default([]).describe('systemd units that are quiesced with the containers.'),
    hooks: z
      .strictObject({
        before: z.array(hook).default([]).describe('Run before the freeze, such as a database dump.'),
        after: z.array(hook).default([]).describe('Run after it, also when the freeze failed.'),
      })
      .prefault({})
      .describe('Programs around the freeze.'),
  })
  .describe('What stands still while the snapshots are taken.');

const restore = z
  .strictObject({
    stop: z
      .enum(['containers', 'engine', 'units'])
      .default('containers')
      .describe(
        'What is stopped before data is written in place: the containers, the whole engine with its socket, or the units of `quiesce`.',
      ),
    order: z
      .array(v.name)
      .default([])
      .describe(
        'Hosts of the group, or labels of such, in the order in which they stop, those of a label together; the rest follow. Without it all stop together; of engines those labelled `manager` or `swarm-manager` follow one by one. They start the other way round.',
      ),
    health: z.array(healthCheck).default([]).describe('Programs that succeed when the workload is well again.'),
  })
  .describe('How a restore in place treats the workload.');

/** In JSON Schema: exactly one of these fields. */
function oneOf(...fields: string[]): { required: string[] }[] {
  return fields.map((field) => ({ required: [field] }));
}

const secret = z
  .strictObject({
    file: v.path.optional().describe('File on the director that holds it.'),
    env: v.name
      .optional()
      .describe('Variable that holds it, in the environment of the worker; of a passphrase, in that of `recover`.'),
    command: v.program.optional().describe('Program on the director that prints it.'),
  })
  // For editors; the cross-checks say it in better words.
  .meta({ oneOf: oneOf('file', 'env', 'command') })
  .describe('Where a secret is read from, one of the three; never the secret itself.');

const recover = z
  .strictObject({
    approve: z
      .enum(['ask', 'identical-disks'])
      .default('ask')
      .describe(
        "Who approves the plan of a bare-metal recovery: a person, or, with `identical-disks`, nobody where each disk that it overwrites is the host's own by its serial number, or blank, all of it could be looked into, and nothing is lost that the backup does not hold.",
      ),
    grow: z
      .enum(['last', 'proportional', 'none'])
      .default('last')
      .describe(
        'Who gets the room of bigger disks: the last partition of each that can use it, all that hold data in proportion, or nobody.',
      ),
    headroom: v.percent
      .default('10%')
      .describe('On smaller disks a file system keeps at least this much room above what it has in use.'),
    passphrases: z
      .array(
        z
          .strictObject({
            host: v.name.describe('The machine that is made again.'),
            volume: v.line.describe('The name of its mapping, as in crypttab, or its UUID.'),
            secret: secret.describe('Where `recover` reads it, on the machine that it is typed on.'),
          })
          .describe('The passphrase of an encrypted volume.'),
      )
      .default([])
      .describe(
        'Where the passphrases of encrypted volumes lie. Each is read when `recover` begins, and goes into the memory of the rescue system alone. What is not named here, or given by `--passphrase`, is asked for.',
      ),
  })
  .describe('How `resurgo recover` makes a machine again on other disks.');

const transfer = z
  .strictObject({
    direction: z.enum(['push', 'pull']).default('push').describe('Who connects: the source, or the target.'),
    bandwidth: v.bandwidth.default('none').describe('Limit of a whole run: `50MB/s`, `400Mbit/s`, `none` or 0.'),
    io: z.enum(['normal', 'low', 'idle']).default('low').describe('I/O priority of the copy on the source.'),
    parallel: v.int({ min: 1, max: 64 }).default(4).describe('Sources copied at the same time.'),
    streams: v.int({ min: 1, max: 16 }).default(2).describe('Streams for one large source.'),
  })
  .describe('How the data travels.');

const rescue = z
  .strictObject({
    modules: z
      .enum(RESCUE_MODULES)
      .default('common')
      .describe(
        'Which kernel modules go in: `common`, all of storage, network, USB and consoles, as the replacement is rarely the same machine; `needed`, those of this hardware and of virtual machines; `all`.',
      ),
    network: z
      .enum(RESCUE_NETWORKS)
      .default('captured')
      .describe('What it comes up with: the addresses of the host, by MAC, or what DHCP says.'),
    outputs: z
      .array(z.enum(RESCUE_OUTPUTS))
      .min(1, { error: 'at least one kind of medium' })
      .default([...RESCUE_OUTPUTS])
      .describe(
        '`iso` boots as CD and from a stick, by BIOS and UEFI; `usb` is the same file; `pxe` are kernel and initramfs.',
      ),
    keep: v
      .int({ min: 1, max: 100 })
      .default(3)
      .describe('How many builds of each host stay in the store, besides those that the target keeps by itself.'),
    pinned_key: z
      .boolean()
      .default(true)
      .describe(
        'Whether the ssh host key of the rescue system is in the image, so that it is known at once. Such an image is a secret. Without, it makes one at each boot, and the code on its console is to be confirmed.',
      ),
  })
  .describe('How rescue media of its hosts are built (`resurgo rescue build`).');

const keep = z
  .strictObject({
    last: v.int({ min: 1, max: 10_000 }).default(3).describe('The newest, whatever their age.'),
    daily: v.int({ min: 0, max: 10_000 }).default(7).describe('One of each of so many days.'),
    weekly: v.int({ min: 0, max: 10_000 }).default(4).describe('One of each of so many weeks.'),
    monthly: v.int({ min: 0, max: 10_000 }).default(12).describe('One of each of so many months.'),
    yearly: v.int({ min: 0, max: 1000 }).default(0).describe('One of each of so many years.'),
  })
  .describe(
    'What `prune` keeps, and what the target itself refuses to remove. Once it is written, each scheduled backup removes the rest without asking; where it is not, `prune` goes by the defaults, and a schedule removes nothing.',
  );

const schedule = z
  .strictObject({
    cron: v.line.describe('Five fields, UTC: minute, hour, day of the month, month, day of the week.'),
    jitter: v.duration({ min: '0s', max: '1d' }).default('0s').describe('Start up to so much later, by chance.'),
    catchup: v.duration({ min: '10s', max: '30d' }).default('6h').describe('How late a missed run may still start.'),
    paused: z.boolean().default(false).describe('`true` keeps the schedule without starting runs.'),
    prune: z
      .boolean()
      .optional()
      .describe(
        'Whether each whole backup is followed by a prune, which removes what `keep` lets go and asks nobody. Default: `true` where the group writes `keep`, else `false`.',
      ),
  })
  .describe(
    'When backups run by themselves. Each also removes old ones where the group writes `keep`: see `prune` below.',
  );

const notify = z
  .strictObject({
    webhook: v.url.optional().describe('Gets a JSON document by POST.'),
    ping: v.url.optional().describe('Is called in the manner of healthchecks: `/start`, the URL itself, `/fail`.'),
    on: z
      .array(z.enum(NOTIFY_EVENTS))
      .min(1, { error: 'at least one event' })
      .default([...NOTIFY_EVENTS])
      .describe('On which events. A partial backup is a `failure`.'),
    secret: secret.optional().describe('Signs the webhook.'),
  })
  .meta({ oneOf: oneOf('webhook', 'ping'), dependentRequired: { secret: ['webhook'] } })
  .describe('A receiver of news: `webhook` or `ping`.');

const contact = z
  .strictObject({
    name: v.line.describe('Who.'),
    role: v.line.optional().describe('What they decide or know.'),
    phone: v.line.optional().describe('With country code.'),
    mail: v.line.optional().describe('Address.'),
  })
  .describe('Somebody to call on the day of the disaster.');

export const group = z
  .strictObject({
    sources: z.array(source).min(1, { error: 'at least one source' }).describe('The folders that belong together.'),
    quiesce: quiesce.prefault({}),
    target: v.name.describe('The store that takes the backups.'),
    remote: v.name
      .optional()
      .describe('Store or host of the off-site copy; carried for replication, which arrives with later work.'),
    transfer: transfer.prefault({}),
    on_unreachable: z
      .enum(['fail', 'partial'])
      .default('fail')
      .describe('When a host cannot be reached: no backup, or one of the others that is marked partial everywhere.'),
    rpo: v
      .duration({ min: '1m', max: '3650d' })
      .default('24h')
      .describe('Data loss that is allowed; `status` compares with it.'),
    rto: v.duration({ min: '1m', max: '3650d' }).optional().describe('Downtime that is allowed.'),
    keep: keep.optional(),
    schedule: schedule.optional(),
    restore: restore.prefault({}),
    recover: recover.prefault({}),
    rescue: rescue.prefault({}),
    notify: z.array(notify).default([]).describe('Who hears of a run.'),
    contacts: z.array(contact).default([]).describe('Carried into each backup.'),
    notes: z
      .string({ error: 'text' })
      .max(20_000, { error: 'text of at most 20000 characters' })
      .default('')
      .describe('Free text, carried into each backup for the day of the disaster.'),
  })
  .describe('What is frozen at one instant, backed up and restored together.');

/** Where the group writes none. */
export const KEEP_DEFAULTS = keep.parse({});

export type WrittenGroup = z.output<typeof group>;
export type WrittenCommand = z.output<typeof hook>;
export type WrittenNotify = z.output<typeof notify>;
