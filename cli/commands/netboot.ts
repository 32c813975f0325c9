/** `resurgo netboot`: a host's rescue system for machines that start by network; no engine needed. */
import { existsSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { loadDirectorKeys, NoKeysError } from '../../hosts/director-keys';
import { parsePublicKey } from '../../hosts/known-hosts';
import { openNetbootMedia } from '../../hosts/netboot-media';
import type { NetbootMedia } from '../../hosts/netboot-media';
import { serveNetboot } from '../../hosts/netboot-server';
import type { NetbootServer, Served } from '../../hosts/netboot-server';
import { dnsmasqConfig, ENTRY, netbootScripts, readAppend, readMac } from '../../planning/netboot';
import { DURATION_PATTERN, parseDuration } from '../../runbooks/units';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, printable } from '../output';

const PORT = 8484;
const DIRECTOR = 'resurgo.director=';
/** Whoever forgets it does not leave it standing for ever. */
const LONGEST_S = 7 * 86_400;
/** Where distributions keep iPXE for firmware that has none. */
const IPXE_FOLDERS = ['/usr/lib/ipxe', '/usr/share/ipxe'];
const IPXE_FILES = ['undionly.kpxe', 'ipxe.efi'];

interface Options {
  from: string;
  listen?: string | undefined;
  mac: string[];
  any?: true | undefined;
  append: string;
  for: string;
  dnsmasq?: string | undefined;
  dhcp?: string | undefined;
  ipxe?: string | undefined;
}

export function registerNetboot(program: Command): void {
  const more = (value: string, before: string[]): string[] => [...before, value];
  program
    .command('netboot')
    .argument('<host>', 'the host whose rescue system is served')
    .description('serves a rescue system to machines that start by network, until Ctrl-C')
    .requiredOption('--from <folder>', 'where `rescue fetch` has put the build')
    .option('--listen <address:port>', `an address of this machine (default: its only one, port ${PORT})`)
    .option('--mac <mac>', 'a machine that may have it; may be given several times', more, [])
    .option('--any', 'every machine that asks, as on a network of its own')
    .option('--append <words>', "further words of the kernel's command line, like resurgo.ip=dhcp", '')
    .option('--for <duration>', 'ends by itself after that time', '12h')
    .option('--dnsmasq <file>', 'writes a configuration of dnsmasq that leads machines here')
    .option(
      '--dhcp <from,to>',
      'dnsmasq gives out these addresses; without, the DHCP server of the network goes on doing so',
    )
    .option('--ipxe <folder>', 'where undionly.kpxe and ipxe.efi lie (default: where the distribution keeps them)')
    .addHelpText(
      'after',
      '\nWhat is served is no secret: it holds no key. The code on the console of the machine is confirmed before data flows.\n\nExample:\n  $ resurgo netboot web-1 --from rescue-web-1 --mac 52:54:00:12:34:56 --dnsmasq netboot.conf',
    )
    .action((host, options, command) => run(command, (context) => netboot({ context, host, options })));
}

interface Asked {
  context: CliContext;
  host: string;
  options: Options;
}

async function netboot({ context, host, options }: Asked): Promise<number> {
  const macs = options.mac.map(readMac);
  if (macs.length > 0 === (options.any === true))
    throw new CliError(
      'say which machines may have it: --mac MAC for each, or --any for whatever asks (a machine that starts by network by chance would get the rescue system in the place of its own)',
      EXIT.usage,
    );
  const forMs = durationMs(options.for);
  const place = listenAt(options.listen);
  const append = readAppend(options.append);
  if (options.dhcp !== undefined && options.dnsmasq === undefined)
    throw new CliError('--dhcp is about the configuration that --dnsmasq FILE writes: give that too', EXIT.usage);
  const media = await openNetbootMedia({ folder: options.from, host });
  try {
    const scripts = netbootScripts({ host: media.host, macs, append: [...append, ...(await letIn(context, append))] });
    const server = await serveNetboot({
      media,
      scripts,
      ...place,
      onServed: (served) => {
        tell(context, served);
      },
    }).catch((error: unknown) => {
      throw new CliError(
        `can't listen on ${place.address}:${place.port}: ${error instanceof Error ? error.message : String(error)}. Choose another with --listen ADDRESS:PORT`,
      );
    });
    try {
      if (options.dnsmasq !== undefined) writeDnsmasq({ file: options.dnsmasq, options, macs, server });
      announce({ context, media, macs, server, options });
      await ended(forMs);
    } finally {
      await server.close();
    }
  } finally {
    await media.close();
  }
  return EXIT.ok;
}

/** The word that lets this director in, whoever's build it is: an heir of a lost director serves the media of that one. */
async function letIn({ stateDir }: CliContext, append: readonly string[]): Promise<string[]> {
  if (append.some((word) => word.startsWith(DIRECTOR))) return [];
  try {
    const { director } = await loadDirectorKeys({ stateDir });
    return [`${DIRECTOR}${parsePublicKey(director.publicKey).base64}`];
  } catch (error) {
    // Served by a machine that is no director.
    if (error instanceof NoKeysError) return [];
    throw error;
  }
}

function announce({
  context,
  media,
  macs,
  server,
  options,
}: {
  context: CliContext;
  media: NetbootMedia;
  macs: string[];
  server: NetbootServer;
  options: Options;
}): void {
  const url = `http://${server.address}:${server.port}/${ENTRY}`;
  context.out.event({ type: 'serving', host: media.host, build: media.id, url, macs });
  context.out.say(`the rescue system of ${media.host}, build ${media.id}, is served at ${url}`);
  context.out.say(
    `for ${macs.length === 0 ? 'every machine that asks' : macs.join(', ')}; Ctrl-C ends it, else ${options.for}`,
  );
  if (options.dnsmasq !== undefined)
    context.out.say(
      `lead machines here with, as root: dnsmasq --keep-in-foreground --conf-file=${printable(options.dnsmasq)}`,
    );
}

/** One request, as it was answered. */
function tell(context: CliContext, served: Served): void {
  const { method, path, status, bytes: sent, whole, peer } = served;
  context.out.event({ type: 'request', ...served });
  context.out.say(
    printable(`${peer} ${method} ${path.slice(0, 200)} ${status}${whole ? '' : ' BROKEN OFF'} ${bytes(sent)}`),
  );
}

function writeDnsmasq({
  file,
  options,
  macs,
  server,
}: {
  file: string;
  options: Options;
  macs: string[];
  server: NetbootServer;
}): void {
  const { address, port } = server;
  const found = Object.entries(networkInterfaces()).flatMap(([card, list = []]) =>
    list.filter((each) => each.address === address).map(({ netmask }) => ({ card, netmask })),
  );
  const [at] = found;
  if (at === undefined)
    throw new CliError(
      `no network card that is connected has the address ${address} on this machine: dnsmasq needs one. Give it with --listen ADDRESS:PORT`,
    );
  const range = options.dhcp === undefined ? undefined : readRange(options.dhcp);
  const config = dnsmasqConfig({
    macs,
    ...at,
    address,
    port,
    ipxeFolder: ipxeFolder(options.ipxe),
    ...(range === undefined ? {} : { range }),
  });
  writeFileSync(file, config, { mode: 0o644 });
}

function readRange(text: string): { from: string; to: string } {
  const [from = '', to = '', more] = text.split(',');
  const address = /^\d{1,3}(\.\d{1,3}){3}$/;
  if (!address.test(from) || !address.test(to) || more !== undefined)
    throw new CliError(`--dhcp wants two addresses, like 192.0.2.100,192.0.2.150, not "${text}"`, EXIT.usage);
  return { from, to };
}

function ipxeFolder(given: string | undefined): string {
  const folders = given === undefined ? IPXE_FOLDERS : [given];
  const found = folders.find((folder) => IPXE_FILES.every((name) => existsSync(join(folder, name))));
  if (found !== undefined) return found;
  throw new CliError(
    `${IPXE_FILES.join(' and ')} are not in ${folders.join(' or ')}: firmware begins with them. Install iPXE (Debian: ipxe), or name their folder with --ipxe`,
  );
}

/** Where to listen; without a word, on this machine's only address. */
function listenAt(text: string | undefined): { address: string; port: number } {
  const [, given, port = String(PORT)] = /^([0-9.]+)(?::(\d{1,5}))?$/.exec(text ?? '') ?? [];
  if (given !== undefined) return { address: given, port: Number(port) };
  if (text !== undefined)
    throw new CliError(`--listen wants an IPv4 address and a port, like 192.0.2.10:${PORT}, not "${text}"`, EXIT.usage);
  const own = Object.values(networkInterfaces()).flatMap((list = []) =>
    list.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address),
  );
  const [only] = own;
  if (only === undefined || own.length > 1)
    throw new CliError(
      `this machine has ${own.length === 0 ? 'no address' : `the addresses ${own.join(', ')}`}: say with --listen which one machines reach it by`,
      EXIT.usage,
    );
  return { address: only, port: PORT };
}

function durationMs(text: string): number {
  const seconds = DURATION_PATTERN.test(text) ? parseDuration(text) : 0;
  if (seconds < 1 || seconds > LONGEST_S)
    throw new CliError(`--for wants a duration from 1s to 7d, like 12h, not "${text}"`, EXIT.usage);
  return seconds * 1000;
}

/** Resolves at Ctrl-C, at SIGTERM, or when the time is over. */
function ended(forMs: number): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve();
    };
    const timer = setTimeout(end, forMs);
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
  });
}
