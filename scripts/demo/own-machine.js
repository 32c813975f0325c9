'use strict';

/**
 * own-machine.js FOLDER: the ssh server of a machine that somebody without root makes of their own account (own-root.sh). It does what sshd
 * does for Resurgo: host key, authorized_keys with forced commands and expiry, commands without a terminal; sshd itself can't change to
 * another user there. Prints its port, and ends when stdin ends, if FOLDER/stay is not there.
 */
const { spawn } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { Server, utils } = require('ssh2');

const folder = process.argv[2];
const KEYS = {
  root: path.join(folder, 'admin.pub'),
  resurgo: '/var/lib/resurgo/home/.ssh/authorized_keys',
};
const LINE = /^(?:(?<options>(?:[^\s"]|"[^"]*")+)\s+)?(?<type>ssh-ed25519)\s+(?<key>\S+)/;

/** The line that lets this key in as this user, if there is one and it has not expired. */
function admitted(user, key) {
  const file = KEYS[user];
  if (file === undefined || !existsSync(file)) return undefined;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const { options = '', type, key: base64 } = LINE.exec(line)?.groups ?? {};
    if (type !== key.algo || base64 !== key.data.toString('base64')) continue;
    const until = /expiry-time="(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z"/.exec(options);
    if (until !== null && Date.UTC(until[1], until[2] - 1, ...until.slice(3)) <= Date.now()) continue;
    return { line, forced: /command="([^"]*)"/.exec(options)?.[1] };
  }
  return undefined;
}

function session(channel, command) {
  const child = spawn('/bin/sh', ['-c', command], {
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/var/lib/resurgo/home' },
    cwd: '/',
  });
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  // Whoever ends first takes the other's pipes away, as sshd does.
  for (const stream of [channel, child.stdin, child.stdout, child.stderr]) stream.on('error', () => undefined);
  channel.on('close', () => {
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  });
  child.on('close', (code, signal) => {
    channel.exit(signal === null ? code : 255);
    channel.end();
  });
}

const server = new Server({ hostKeys: [readFileSync('/etc/ssh/ssh_host_ed25519_key')] }, (client) => {
  let command;
  client.on('error', () => undefined);
  client.on('authentication', (login) => {
    const line = login.method === 'publickey' ? admitted(login.username, login.key) : undefined;
    if (line === undefined) return login.reject(['publickey']);
    if (login.signature !== undefined) {
      const key = utils.parseKey(line.line.slice(line.line.indexOf('ssh-ed25519')));
      if (key.verify(login.blob, login.signature, login.hashAlgo) !== true) return login.reject(['publickey']);
      command = line.forced;
    }
    login.accept();
  });
  client.on('session', (accept) => {
    accept().on('exec', (take, refuse, { command: asked }) => session(take(), command ?? asked));
  });
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
if (!existsSync(path.join(folder, 'stay'))) process.stdin.resume().on('end', () => process.exit(0));
