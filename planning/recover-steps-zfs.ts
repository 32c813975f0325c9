/** Steps for ZFS: pools, their datasets from the outer to the inner ones, and what waits for the data. */
import type { Pool, Vdev } from './layout-storage';
import { vdevDevices } from './recover-graph';
import type { RecoveryStep, StepVdev } from './recover-plan';
import type { StepContext } from './recover-devices';
import { printable, size } from './recover-words';
import { datasetLater, datasetOnce, poolCache, poolLater } from './zfs-properties';

export function poolSteps(context: StepContext): RecoveryStep[] {
  return context.graph.storage.pools.flatMap((pool) => [
    poolStep(context, pool),
    ...datasetSteps(context, pool),
    finishStep(pool),
  ]);
}

function poolStep({ device, disks, maker }: StepContext, pool: Pool): RecoveryStep {
  const devices = vdevDevices(pool);
  const vdevs = (list: readonly Vdev[]): StepVdev[] =>
    list.flatMap((vdev): StepVdev[] => {
      if (vdev.on !== null) return [{ kind: 'disk', on: device(vdev.on) }];
      return vdev.kind === 'disk' ? [] : [{ kind: vdev.kind, children: vdevs(vdev.children) }];
    });
  return {
    kind: 'zpool-create',
    key: `zpool-create:${pool.name}`,
    says: printable(
      `Create pool ${pool.name} (${size(pool.bytes)}) on ${devices.length === 1 ? 'one device' : `${devices.length} devices`}`,
    ),
    needs: [...new Set(devices.map(maker))],
    destroys: disks(devices),
    name: pool.name,
    properties: pool.properties,
    root: datasetOnce(pool.datasets.find(({ name }) => name === pool.name)?.properties ?? {}),
    data: vdevs(pool.data),
    log: vdevs(pool.log),
    cache: vdevs(pool.cache),
    spare: vdevs(pool.spare),
    special: vdevs(pool.special),
  };
}

function datasetSteps({ disks }: StepContext, pool: Pool): RecoveryStep[] {
  const names = pool.datasets.map((dataset) => dataset.name);
  return [...pool.datasets]
    .sort((a, b) => a.name.split('/').length - b.name.split('/').length)
    .map((dataset): RecoveryStep => {
      const parent = dataset.name.slice(0, Math.max(0, dataset.name.lastIndexOf('/')));
      // The root dataset comes with its pool; its properties are set all the same.
      return {
        kind: 'zfs-create',
        key: `zfs-create:${dataset.name}`,
        says: printable(`Create ${dataset.kind === 'volume' ? 'volume' : 'dataset'} ${dataset.name}`),
        needs: [`zpool-create:${pool.name}`, ...(names.includes(parent) ? [`zfs-create:${parent}`] : [])],
        destroys: disks(vdevDevices(pool)),
        dataset: dataset.name,
        type: dataset.kind,
        bytes: dataset.bytes,
        properties: dataset.properties,
      };
    });
}

function finishStep(pool: Pool): RecoveryStep {
  const cache = poolCache(pool.properties);
  const noted = cache === null ? '' : `, and note it in ${cache} for the boot`;
  return {
    kind: 'zpool-finish',
    key: `zpool-finish:${pool.name}`,
    says: printable(`Set what of pool ${pool.name} had to wait for its data${noted}`),
    needs: ['restore', ...pool.datasets.map(({ name }) => `zfs-create:${name}`)],
    destroys: [],
    name: pool.name,
    properties: poolLater(pool.properties),
    cache,
    datasets: pool.datasets.map(({ name, kind, properties }) => ({
      name,
      type: kind,
      properties: datasetLater(properties),
    })),
  };
}
