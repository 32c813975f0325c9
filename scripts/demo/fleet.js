'use strict';

/**
 * The demo on simulated hosts: two application servers with containers that write a shared ledger, and a backup target. Backs them
 * up while they write, destroys data, restores it, and proves the result.
 */
const { mkdtempSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { ROOT, headline, output, resurgo, objects, removeFolder, runDemo } = require('./tools');

const keep = process.argv.includes('--keep');
const FLEET = path.join(ROOT, 'test', 'lab', 'support', 'fleet.sh');
const name = keep ? 'demo' : `demo-${process.pid}`;
const folder = mkdtempSync(path.join(tmpdir(), 'resurgo-demo-'));
const env = { ...process.env, RESURGO_STATE: path.join(folder, 'state') };
const APPS = ['app-1', 'app-2'];
/** Whether the fleet is ours to take down: one that could not be raised has gone by itself, or is another demo's that was kept. */
let raised = false;

const fleet = (...args) => output(FLEET, args);
const on = (host, command) => fleet('exec', name, host, command);

/** Both writers: A records n, then tells B, which records n. So B is never ahead of A, and at most one behind. */
const TELL =
  'n=0; while :; do n=$((n+1)); echo $n >> /data/ledger; ' +
  'until printf "GET /cgi-bin/record?$n HTTP/1.0\\r\\n\\r\\n" | nc $PEER 8080 | grep -q ok; do sleep 1; done; done';
const RECORD = '#!/bin/sh\necho "$QUERY_STRING" >> /data/ledger\nprintf "Content-Type: text/plain\\r\\n\\r\\nok\\n"\n';

function startLedger(info) {
  const address = (host) => info.hosts.find((each) => each.name === host).address;
  for (const host of APPS) {
    on(
      host,
      'mkdir -p /srv/ledger /srv/files && for i in $(seq 1 400); do head -c $((i * 37)) /dev/urandom > /srv/files/$i; done',
    );
    on(
      host,
      'ln /srv/files/1 /srv/files/a-hard-link; ln -s 2 /srv/files/a-link; setfattr -n user.note -v kept /srv/files/3',
    );
  }
  on('app-2', 'mkdir -p /srv/www/cgi-bin');
  output(FLEET, ['exec', name, 'app-2', 'cat > /srv/www/cgi-bin/record && chmod 755 /srv/www/cgi-bin/record'], {
    input: RECORD,
  });
  on(
    'app-2',
    'docker run -d --name ledger --network host -v /srv/ledger:/data -v /srv/www:/www:ro bb:1 httpd -f -p 8080 -h /www',
  );
  on(
    'app-1',
    `docker run -d --name ledger --network host -e PEER=${address('app-2')} -v /srv/ledger:/data bb:1 sh -c '${TELL}'`,
  );
}

const last = (host, file) => Number(on(host, `tail -n 1 ${file}`).trim());

function writeRunbook(info) {
  const host = (each) => `  ${each.name}: { address: ${each.address}, restore_to: [/var/restore] }`;
  const file = path.join(folder, 'resurgo.yaml');
  writeFileSync(
    file,
    `version: 1
hosts:
${info.hosts.map(host).join('\n')}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
${APPS.map((app) => `      - { host: ${app}, path: /srv, name: data, snapshot: btrfs }`).join('\n')}
    target: main
    rpo: 24h
`,
  );
  return file;
}

/** Checksums of a folder's plain files, with their names. */
const sums = (host, at) =>
  on(host, `cd ${at} && find . -type f -path './files/*' -print0 | sort -z | xargs -0 sha256sum`);

async function main() {
  headline('raising two application hosts and a backup target (namespaces with real sshd, dockerd and btrfs disks)');
  const owner = keep ? [] : ['--owner', String(process.pid)];
  fleet('up', ...owner, name, ...APPS.map((app) => `${app}:docker`), 'target:store=btrfs');
  raised = true;
  const info = JSON.parse(fleet('info', name));
  const runbook = writeRunbook(info);
  env.RESURGO_RUNBOOK = runbook;
  startLedger(info);
  const run = (args, options) => resurgo(args, { env, ...options });

  headline('enrolling the hosts');
  await run(['enroll', '--all', '--key', info.adminKey, '--known-hosts', info.knownHosts]);

  headline('backing up while both containers write');
  for (let tries = 0; last('app-1', '/srv/ledger/ledger') < 20; tries += 1)
    if (tries > 200) throw new Error('the ledger does not grow');
  const before = Object.fromEntries(APPS.map((app) => [app, sums(app, '/srv')]));
  const [ended] = objects(await run(['backup', 'portal', '--json'], { show: false })).filter(
    (each) => each.type === 'ended',
  );
  console.log(
    `${ended.state}: backup ${ended.id}, ${ended.label} consistent; everything stood still for ${ended.pauseMs} ms`,
  );
  await run(['list', 'portal']);

  headline('destroying data on both hosts');
  for (const app of APPS)
    on(app, 'rm -rf /srv/files/1* /srv/files/2*; echo overwritten > /srv/files/3; echo junk > /srv/files/junk');

  headline('restoring it: the plan, its approval, the run');
  const planned = objects(await run(['restore', 'latest', 'portal', '--json'], { show: false, allow: [3] }));
  const { hash, plan, run: id } = planned.find((each) => each.type === 'plan');
  console.log(
    `plan ${hash.slice(0, 12)}: ${plan.totals.files} files back, ${plan.totals.deletions} deleted; stops ${plan.stops.map((each) => each.host).join(', ')}`,
  );
  await run(['approve', id, hash.slice(0, 12)]);
  await run(['watch', id]);

  headline('the proof: file by file, and the ledger');
  for (const app of APPS)
    if (sums(app, '/srv') !== before[app]) throw new Error(`${app}: the files differ from those that were backed up`);
  console.log(
    `all files of ${APPS.join(' and ')} are what they were, by SHA-256 (and by the listing that the restore compared)`,
  );
  const beside = objects(
    await run(['restore', 'latest', 'portal', '--to', '/var/restore', '--json'], { show: false, allow: [3] }),
  );
  const folderPlan = beside.find((each) => each.type === 'plan');
  await run(['approve', folderPlan.run, folderPlan.hash.slice(0, 12)], { show: false });
  await run(['watch', folderPlan.run], { show: false });
  const [a, b] = APPS.map((app) => last(app, `/var/restore/${app}@+srv/ledger/ledger`));
  console.log(`at the frozen instant the ledger of app-1 ended with ${a}, that of app-2 with ${b}`);
  if (a - b < 0 || a - b > 1) throw new Error('the ledgers are not of one instant');
  console.log(`and the writers go on: ${last('app-1', '/srv/ledger/ledger')} by now`);

  const status = JSON.parse(await run(['engine', 'status', '--json'], { show: false }));
  console.log(`\nThe pause was ${ended.pauseMs} ms. Every step of both runs: ${status.uiUrl}`);
  if (!keep) return;
  console.log(`
The fleet stays. To go on playing:
  export RESURGO_STATE=${env.RESURGO_STATE} RESURGO_RUNBOOK=${runbook}
  node bin/resurgo.js backup            # again
  node bin/resurgo.js restore latest    # asks before it changes anything
  ${path.relative(process.cwd(), FLEET)} exec ${name} app-1 'docker ps'
When done:
  node bin/resurgo.js engine stop; ${path.relative(process.cwd(), FLEET)} down ${name}; rm -rf ${folder}`);
}

/** Kept is only what can be played with: nobody would learn how to remove what was left half-way. */
async function cleanUp({ ended }) {
  if (keep && ended === 'well') return;
  headline('cleaning up');
  if (raised) {
    await resurgo(['engine', 'stop'], { env, show: false, allow: [0, 1] });
    fleet('down', name);
  }
  removeFolder({ folder, state: env.RESURGO_STATE, ended });
}

runDemo({ main, cleanUp });
