'use strict';

/**
 * The demo for whoever is not root: this machine alone. A folder goes into a hardlink store by way of the embedded engine, is destroyed,
 * restored, and proven file by file. The hostkit needs root, so it gets the root of a file tree of the user's own (own-root.sh), where it
 * is enrolled as on any host.
 */
const { spawn, spawnSync } = require('node:child_process');
const { chmodSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { createInterface } = require('node:readline');
const { headline, output, resurgo, objects, removeFolder, runDemo } = require('./tools');

const keep = process.argv.includes('--keep');
const folder = mkdtempSync(path.join(tmpdir(), 'resurgo-demo-'));
const machine = path.join(folder, 'machine');
const data = path.join(folder, 'data');
const env = {
  ...process.env,
  RESURGO_STATE: path.join(folder, 'state'),
  RESURGO_RUNBOOK: path.join(folder, 'resurgo.yaml'),
};
const IN_OWN_ROOT = ['--user', '--map-root-user', '--mount', '--propagation', 'private'];
let server;

/** sudo: who comes in is this machine's root already. rsync: with one id alone its daemon can't change to another, so it must not try. */
const STAND_INS = {
  sudo: '#!/bin/sh\n[ "$1" = -n ] && shift\nexec "$@"\n',
  visudo: '#!/bin/sh\nexit 0\n',
  rsync: `#!/bin/sh
case " $* " in
  *' --daemon '*)
    for word in "$@"; do case $word in --config=*) sed -i '/^[ug]id = 0$/d' "\${word#--config=}" ;; esac; done
    exec unshare --user --map-user=1 --map-group=1 --keep-caps RSYNC "$@"
    ;;
esac
exec RSYNC "$@"
`,
};

/** Why this machine can't do it; undefined when it can. */
function obstacle() {
  const tools = [
    'rsync',
    'ssh',
    'ssh-keygen',
    'getfattr',
    'setfattr',
    'getfacl',
    'flock',
    'setsid',
    'unshare',
    'openssl',
    'pivot_root',
  ];
  const missing = tools.filter((tool) => which(tool) === undefined);
  if (missing.length > 0)
    return `these programs are missing: ${missing.join(', ')}; ask who is root to install rsync openssh-client attr acl openssl`;
  const tried = spawnSync('unshare', [...IN_OWN_ROOT, 'mount', '-t', 'tmpfs', 'none', tmpdir()], { encoding: 'utf8' });
  if (tried.status === 0) return undefined;
  return `this account may not make namespaces (${(tried.stderr ?? String(tried.error)).trim()}); see kernel.unprivileged_userns_clone and user.max_user_namespaces`;
}

function which(tool) {
  const found = spawnSync('sh', ['-c', 'PATH=$PATH:/usr/sbin:/sbin; command -v "$1"', 'sh', tool], {
    encoding: 'utf8',
  });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** Raises the machine; resolves to the port of its ssh server. */
async function raise() {
  mkdirSync(path.join(machine, 'stand-ins'), { recursive: true });
  mkdirSync(path.join(machine, 'etc', 'ssh'), { recursive: true });
  for (const [name, text] of Object.entries(STAND_INS)) {
    const file = path.join(machine, 'stand-ins', name);
    writeFileSync(file, text.replaceAll('RSYNC', which('rsync')));
    chmodSync(file, 0o755);
  }
  const key = (file) => output('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  key(path.join(machine, 'admin'));
  key(path.join(machine, 'etc', 'ssh', 'ssh_host_ed25519_key'));
  if (keep) writeFileSync(path.join(machine, 'stay'), '');
  const script = [
    path.join(__dirname, 'own-root.sh'),
    machine,
    process.execPath,
    path.join(__dirname, 'own-machine.js'),
    machine,
  ];
  server = spawn('unshare', [...IN_OWN_ROOT, 'sh', ...script], {
    env: { ...env, PATH: `${env.PATH}:/usr/sbin:/sbin` },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  const port = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once('line', (line) => resolve(Number(line)));
    server.once('exit', (code) => reject(new Error(`the machine of your own did not start (exit ${code})`)));
  });
  if (keep) for (const each of [server, server.stdin, server.stdout]) each.unref();
  const hostKey = readFileSync(path.join(machine, 'etc', 'ssh', 'ssh_host_ed25519_key.pub'), 'utf8');
  writeFileSync(path.join(machine, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`);
  return port;
}

/** Files of many kinds: what a copy that is not exact would lose. */
function makeData() {
  const script = `
    mkdir -p "$1/sub/empty" && cd "$1"
    for i in $(seq 1 400); do head -c $((i * 37)) /dev/urandom > "sub/$i"; done
    ln sub/1 a-hard-link; ln -s sub/2 a-link; mkfifo a-fifo; truncate -s 4M a-hole; echo end >> a-hole
    printf x > 'odd name
with a line feed'; chmod 4711 sub/3; touch -d '2001-02-03 04:05:06.123456789' sub/4
    setfattr -n user.note -v kept sub/5 2>/dev/null || echo 'this file system keeps no attributes' >&2
    setfacl -m u::rw,g::r,o::- sub/6 2>/dev/null || :`;
  output('sh', ['-c', script, 'sh', data]);
}

/** Everything that is to come back: type, mode, size, time in nanoseconds, links, attributes and content, name by name. */
function listing() {
  const script = `cd "$1" && export LC_ALL=C
    find . -printf '%y %m %T@ %n %i %l %P\\0' | sort -z -t ' ' -k 7 | tr '\\0' '\\n' |
      awk '$1 == "d" { $4 = "" } { link = $5; $5 = ($1 == "f" && $4 > 1) ? "linked" : ""; print }'
    find . -type f -print0 | sort -z | xargs -0 sha256sum
    find . -type f -print0 | sort -z | xargs -0 getfattr -d -m - 2>/dev/null || :`;
  return output('sh', ['-c', script, 'sh', data]);
}

function writeRunbook(port) {
  writeFileSync(
    env.RESURGO_RUNBOOK,
    `version: 1
hosts:
  here: { address: 127.0.0.1, port: ${port}, restore_to: [${folder}/restored] }
stores:
  main: { host: here, kind: hardlink, place: ${folder}/store }
groups:
  mine:
    sources:
      - { host: here, path: ${data}, name: data, snapshot: none }
    quiesce: { containers: none }
    target: main
`,
  );
}

async function main() {
  const why = obstacle();
  if (why !== undefined) throw new Error(`the demo can't run here: ${why}`);
  headline('a machine of your own: your files, and a root of its own for the hostkit');
  const port = await raise();
  makeData();
  mkdirSync(path.join(folder, 'store'));
  writeRunbook(port);
  const run = (args, options) => resurgo(args, { env, ...options });

  headline('enrolling it');
  await run([
    'enroll',
    'here',
    '--key',
    path.join(machine, 'admin'),
    '--known-hosts',
    path.join(machine, 'known_hosts'),
  ]);

  headline('backing up the folder');
  const before = listing();
  const [ended] = objects(await run(['backup', 'mine', '--json'], { show: false })).filter(
    (each) => each.type === 'ended',
  );
  console.log(`${ended.state}: backup ${ended.id}, ${ended.label} (the files were read while they could have changed)`);
  await run(['list', 'mine']);

  headline('destroying data');
  output('sh', ['-c', 'cd "$1" && rm -rf sub/1* a-* && echo overwritten > sub/3 && echo junk > junk', 'sh', data]);
  if (listing() === before) throw new Error('nothing was destroyed');

  headline('restoring it: the plan, its approval, the run');
  const planned = objects(await run(['restore', 'latest', 'mine', '--json'], { show: false, allow: [3] }));
  const { hash, plan, run: id } = planned.find((each) => each.type === 'plan');
  console.log(`plan ${hash.slice(0, 12)}: ${plan.totals.files} files back, ${plan.totals.deletions} deleted`);
  await run(['approve', id, hash.slice(0, 12)]);
  await run(['watch', id]);

  headline('the proof: file by file');
  if (listing() !== before) throw new Error('the files differ from those that were backed up');
  console.log('all files are what they were: names, types, modes, times, links, attributes, and content by SHA-256');
  console.log(`
What this did not show, without root: nothing was frozen, so the backup is labelled ${ended.label}; owners other than you, devices and
file capabilities can't be made by you, so a folder with such files would not have been sealed. As root, npm run demo shows a whole fleet.`);
  const status = JSON.parse(await run(['engine', 'status', '--json'], { show: false }));
  if (!keep) return;
  console.log(`
Every step of both runs: ${status.uiUrl}
The machine stays. To go on playing:
  export RESURGO_STATE=${env.RESURGO_STATE} RESURGO_RUNBOOK=${env.RESURGO_RUNBOOK}
  node bin/resurgo.js backup            # again; the files are in ${data}
  node bin/resurgo.js restore latest    # asks before it changes anything
When done:
  node bin/resurgo.js engine stop; kill ${server.pid}; rm -rf ${folder}`);
}

async function cleanUp({ ended }) {
  if (keep && ended === 'well') return;
  headline('cleaning up');
  if (server !== undefined) {
    await resurgo(['engine', 'stop'], { env, show: false, allow: [0, 1] });
    server.kill();
  }
  removeFolder({ folder, state: env.RESURGO_STATE, ended });
}

runDemo({ main, cleanUp });
