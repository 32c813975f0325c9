'use strict';

/** What both demos share: running commands in the open, and reading their JSON. */
const { spawn, spawnSync } = require('node:child_process');
const { existsSync, readdirSync, rmSync } = require('node:fs');
const path = require('node:path');

const ROOT = path.join(__dirname, '..', '..');
const RESURGO = path.join(ROOT, 'bin', 'resurgo.js');

const started = Date.now();

/** A headline with the seconds since the start. */
function headline(text) {
  console.log(`\n== ${text}  (${((Date.now() - started) / 1000).toFixed(0)} s)`);
}

/** Runs a program and returns its stdout; throws with its stderr when it fails. */
function output(command, args, options = {}) {
  const ran = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 300_000, ...options });
  if (ran.error) throw ran.error;
  if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${ran.status}\n${ran.stderr}${ran.stdout}`);
  return ran.stdout;
}

/** Runs `resurgo` as an operator would, showing the command and what it says; without `show` what it complains of is told only when it fails. */
function resurgo(args, { env, show = true, allow = [0], cwd }) {
  if (show) console.log(`$ resurgo ${args.map((each) => (/^[\w./:@=-]+$/.test(each) ? each : `'${each}'`)).join(' ')}`);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [RESURGO, ...args], { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    let complaints = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (show) process.stdout.write(chunk);
    });
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (chunk) => {
      if (show) process.stderr.write(chunk);
      else complaints += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (allow.includes(code)) resolve(text);
      else reject(new Error(`resurgo ${args.join(' ')}: exit ${code}\n${complaints}`));
    });
  });
}

/** The objects of a command's `--json` output. */
function objects(text) {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Removes the demo's folder; of a demo that failed its logs stay, as its error sends you there. */
function removeFolder({ folder, state, ended }) {
  const logs = path.join(state, 'logs');
  if (ended !== 'failed' || !existsSync(logs)) return rmSync(folder, { recursive: true, force: true });
  for (const above of [folder, state])
    for (const name of readdirSync(above)) {
      const each = path.join(above, name);
      if (each !== state && each !== logs) rmSync(each, { recursive: true, force: true });
    }
  console.error(`Left for you to read: ${logs}`);
}

/** Runs a demo and cleans up after it, also when it failed or was interrupted; ends this process with 0, 1 or 130. */
function runDemo({ main, cleanUp }) {
  const interrupted = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve('interrupted'));
  });
  const ended = main().catch((error) => {
    console.error(`\nThe demo failed: ${error.message}`);
    return 'failed';
  });
  Promise.race([ended, interrupted])
    .then(async (how) => {
      await cleanUp({ ended: how ?? 'well' });
      process.exit(how === undefined ? 0 : how === 'failed' ? 1 : 130);
    })
    .catch((error) => {
      console.error(`The clean-up failed: ${error.message}`);
      process.exit(1);
    });
}

module.exports = { ROOT, RESURGO, headline, output, resurgo, objects, removeFolder, runDemo };
