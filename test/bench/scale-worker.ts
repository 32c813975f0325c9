/** The worker process of the bench of scale: the product's own, over a fleet in memory. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { activitiesFrom } from '../../activities';
import { FAKE_RESCUE } from '../../hosts/fake';
import { runWorkerProcess } from '../../workers/worker-process';
import { scaleFleet } from './scale-fleet';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const publicKeyHex = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex');

void runWorkerProcess({
  createActivities: ({ logger }) =>
    activitiesFrom({
      hosts: scaleFleet(),
      logger,
      genuineSigners: () => Promise.resolve([publicKeyHex]),
      openSigner: () =>
        Promise.resolve({ publicKeyHex, sign: (bytes) => sign(null, bytes, privateKey).toString('base64') }),
      rescue: FAKE_RESCUE,
    }),
}).then((code) => process.exit(code));
