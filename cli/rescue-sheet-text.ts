/**
 * The page to print out and keep beside a machine: what it was, who to call, what its ends are known by, and the commands that bring it
 * back. Pure.
 */
import type { Layout } from '../planning/layout-schema';
import type { RescueBuild } from '../planning/rescue-media';
import type { Contact, Host } from '../runbooks/types';
import { layoutText } from './layout-text';
import { bytes, instant } from './output';
import { htmlPage, markdownPage, type Block } from './page-blocks';

export interface SheetFacts {
  printedAt: Date;
  host: Host;
  group: string;
  /** The store of its backups: its name, and the target's host and address. */
  store: { name: string; host: string; address: string; place: string; kind: string };
  /** Null where nobody could tell it; `layoutFrom` says where it comes from, or why there is none. */
  layout: Layout | null;
  layoutFrom: string;
  /** `the host web-1` → `SHA256:…` */
  fingerprints: { of: string; fingerprint: string }[];
  /** The newest usable rescue media. */
  media: RescueBuild | null;
  /** The newest whole backup. */
  backup: string | null;
  contacts: Contact[];
  notes: string;
  runbookFile: string;
  director: string;
}

/** The page as Markdown. */
export function sheetMarkdown(facts: SheetFacts): string {
  return markdownPage(blocksOf(facts));
}

/** The page as one HTML file. */
export function sheetHtml(facts: SheetFacts): string {
  return htmlPage({ title: titleOf(facts), blocks: blocksOf(facts) });
}

function titleOf({ host }: SheetFacts): string {
  return `Recovery of ${host.name}`;
}

function blocksOf(facts: SheetFacts): Block[] {
  return [
    { kind: 'title', text: titleOf(facts) },
    {
      kind: 'text',
      text: `Printed ${instant(facts.printedAt)} by ${facts.director}. Print it again after a change of its disks, and after each change of keys.`,
    },
    ...whoOf(facts),
    ...whatOf(facts),
    ...knownBy(facts),
    ...encrypted(facts),
    ...stepsOf(facts),
    ...withoutOf(facts),
  ];
}

function whoOf({ contacts, notes }: SheetFacts): Block[] {
  const rows = contacts.map(({ name, role, phone, mail }) => [name, role ?? '', phone ?? '', mail ?? '']);
  const called: Block =
    rows.length === 0
      ? {
          kind: 'text',
          text: 'The runbook names nobody (`contacts` of the group). Write names and numbers here by hand.',
        }
      : { kind: 'table', rows: [['who', 'role', 'phone', 'mail'], ...rows] };
  const said: Block[] = notes.trim() === '' ? [] : [{ kind: 'code', text: notes.trim() }];
  return [{ kind: 'heading', text: 'Who to call' }, called, ...said];
}

function whatOf({ host, layout, layoutFrom }: SheetFacts): Block[] {
  const heading: Block = { kind: 'heading', text: 'What it was' };
  const place = `ssh address ${host.address}, port ${host.port}, user ${host.user}${host.via === null ? '' : `, by way of ${host.via}`}.`;
  if (layout === null)
    return [heading, { kind: 'text', text: `${place} Its disks are not known here: ${layoutFrom}.` }];
  const { boot, disks, network } = layout;
  const secure = boot.secureBoot === true ? ' with Secure Boot' : '';
  const cards = network.interfaces.map(({ name, kind, mac, addresses, dynamic }) => [
    name,
    kind,
    mac ?? '',
    addresses.length === 0 ? '' : `${addresses.join(' ')}${dynamic ? ' (DHCP)' : ''}`,
  ]);
  return [
    heading,
    {
      kind: 'text',
      text: `${place} Boots by ${boot.firmware === 'uefi' ? `UEFI${secure}` : 'BIOS'}. From ${layoutFrom}.`,
    },
    {
      kind: 'table',
      rows: [
        ['disk', 'size', 'model', 'serial', 'WWN'],
        ...disks.map(({ name, bytes: size, model, serial, wwn }) => [
          name,
          bytes(size),
          model ?? '',
          serial ?? 'none',
          wwn ?? '',
        ]),
      ],
    },
    { kind: 'code', text: layoutText(layout) },
    { kind: 'table', rows: [['card', 'kind', 'MAC', 'addresses'], ...cards] },
    {
      kind: 'list',
      items: [
        ...network.routes.map(({ to, via, device }) => ({
          text: `route to ${to}${via === null ? '' : ` via ${via}`} on ${device}`,
        })),
        ...(network.dns.servers.length === 0 ? [] : [{ text: `name servers ${network.dns.servers.join(' ')}` }]),
      ],
    },
  ];
}

function knownBy({ fingerprints, store, group, media, backup }: SheetFacts): Block[] {
  return [
    { kind: 'heading', text: 'Where its data is, and what the ends are known by' },
    {
      kind: 'list',
      items: [
        {
          text: `backups: group ${group}, store ${store.name} (${store.kind}, ${store.place}) on ${store.host}, ${store.address}`,
        },
        {
          text:
            backup === null
              ? 'newest whole backup: not known when this was printed'
              : `newest whole backup when this was printed: ${backup}`,
        },
        {
          text:
            media === null
              ? 'rescue media: NONE when this was printed'
              : `rescue media ${media.id}, ${media.verdict === 'booted' ? 'known to boot' : 'made, never started'}, kernel ${media.kernel}${media.secureBoot ? ', Secure Boot' : ''}`,
        },
      ],
    },
    {
      kind: 'table',
      rows: [['key of', 'fingerprint'], ...fingerprints.map(({ of, fingerprint }) => [of, fingerprint])],
    },
  ];
}

/** What opens a volume is the one thing that no backup and no page has. */
function encrypted({ host, layout, runbookFile }: SheetFacts): Block[] {
  const volumes = layout?.luks ?? [];
  const [first] = volumes;
  if (first === undefined) return [];
  const recover = `resurgo -r ${runbookFile} recover ${host.name} --at ADDRESS`;
  // A name comes from the host, and goes into a command here.
  const called = first.name !== null && /^[A-Za-z0-9_.+-]+$/.test(first.name) ? first.name : first.uuid;
  return [
    { kind: 'heading', text: 'Encrypted volumes' },
    {
      kind: 'text',
      text: 'Each wants a passphrase before any disk is written to: one that opened it when the backup was made, also where a key file or a TPM opens it at home. It is typed when `recover` asks, unless the runbook names where it lies (`recover: passphrases`). It is not on this page: write here who has it.',
    },
    {
      kind: 'table',
      rows: [
        ['volume', 'UUID', 'LUKS', 'who has its passphrase'],
        ...volumes.map(({ name, uuid, version }) => [name ?? '', uuid, `${version}`, '']),
      ],
    },
    {
      kind: 'list',
      items: [
        {
          text: 'By its header, which the backup has unless it warned of it, a volume comes back with all of its passphrases and key files.',
        },
        {
          text: `From a file, a key file among them: \`${recover} --passphrase ${called}=FILE\``,
        },
        {
          text: `Where nobody knows one, under a new key: \`${recover} --new-key ${called}\`. Add the key files again then (\`cryptsetup luksAddKey\`).`,
        },
      ],
    },
  ];
}

function stepsOf({ host, media, runbookFile, group }: SheetFacts): Block[] {
  const resurgo = `resurgo -r ${runbookFile}`;
  const pinned = media !== null && media.hostKey !== null;
  return [
    { kind: 'heading', text: 'Bring it back' },
    {
      kind: 'steps',
      items: [
        { text: 'Make sure that the old machine is off, or that its disks are out of it: two of one name do harm.' },
        {
          text: 'On the director, get the medium: an image to burn or attach, or a stick.',
          code: [
            `${resurgo} rescue fetch ${host.name} --to ${host.name}.iso`,
            `sudo ${resurgo} rescue write-usb ${host.name} --device /dev/sdX`,
          ],
        },
        {
          text: 'Boot the new machine from it. Its console shows an address, the fingerprint of its host key and the next command.',
        },
        {
          text: pinned
            ? 'The fingerprint on the console is the one of the rescue system above. If it is another, stop.'
            : 'It makes its host key at each boot: the code on the console is given with the next command as `--code`.',
        },
        {
          text: 'Look at the plan: which disk becomes what, and what on it is destroyed. Nothing is written yet.',
          code: [`${resurgo} recover ${host.name} --at ADDRESS --plan-only`],
        },
        {
          text: 'Recover. The plan is shown again, and its hash asked for.',
          code: [`${resurgo} recover ${host.name} --at ADDRESS`],
        },
        {
          text: 'Take the medium out when it reboots. Then look at all of the group.',
          code: [`${resurgo} doctor ${group}`],
        },
      ],
    },
  ];
}

function withoutOf({ host, store, group, runbookFile }: SheetFacts): Block[] {
  const resurgo = `resurgo -r ${runbookFile}`;
  return [
    { kind: 'heading', text: 'Without this director' },
    {
      kind: 'text',
      text: `All that is needed lies with the backups on ${store.host}: any other machine with Resurgo and an administrator's ssh access to ${store.address} will do.`,
    },
    {
      kind: 'steps',
      items: [
        {
          text: `Where the runbook is lost too: the copy that lies with the newest backup. Nobody has signed it, so read it. The fingerprint of ${store.host} is above.`,
          code: [`${resurgo} adopt ${group} --target root@${store.address} --fingerprint SHA256:…`],
        },
        {
          text: "Let the new director in at the target, and take the lost one's key as genuine: it is the director's signature above.",
          code: [`${resurgo} enroll ${store.host} --take-over`, `${resurgo} adopt ${group}`],
        },
        {
          text: 'Recover. A rescue system that does not let the new director in is told of with what to type at its console. Without a medium any rescue Linux will do that lets you in by ssh (`--live`).',
          code: [
            `${resurgo} recover ${host.name} --at ADDRESS`,
            `${resurgo} recover ${host.name} --at root@ADDRESS --live --fingerprint SHA256:…`,
          ],
        },
      ],
    },
    {
      kind: 'text',
      text: 'Without Resurgo: the backups are plain files, and `docs/by-hand.md` says how to go about it.',
    },
  ];
}
