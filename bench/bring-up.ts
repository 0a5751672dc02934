import { withKubeadmCluster } from './kubeadm.ts'
import { type Measurement, median } from './measurement.ts'
import { processorSeconds } from './processor.ts'
import { quietDisk } from './quiet-disk.ts'

const seconds = 20
const share = 0.5

/** `up` from nothing against plain kubeadm one by one, alternating so that both meet the same noise. */
export const bringUp: Measurement = {
  name: 'bring-up',
  title: 'Three masters and one worker, warm',
  async run(bench) {
    const ours: number[] = []
    const theirs: number[] = []
    const work: number[] = []
    await bench.deleteCluster()
    // Not counted: fetches whatever is missing, and warms the page cache for both sides.
    await bench.ensureCluster()
    await bench.deleteCluster()
    for (let round = 1; round <= bench.rounds; round += 1) {
      await quietDisk()
      const before = processorSeconds()
      const up = await bench.holdfast(upArguments(bench.cluster))
      ours.push(up.seconds)
      work.push(processorSeconds() - before)
      await bench.deleteCluster()
      theirs.push(await withKubeadmCluster(bench.folder, bench.say))
      bench.say(`round ${round}: up ${up.seconds.toFixed(1)} s, kubeadm ${theirs.at(-1)?.toFixed(1)} s`)
    }
    return [
      {
        name: '`holdfast up` until everything validates',
        unit: 's',
        values: ours,
        judged: 'median',
        atMost: seconds,
      },
      {
        name: 'processors’ work during it, in seconds of one: the same work, more where the host is slow',
        unit: 's',
        values: work,
        judged: 'median',
      },
      { name: 'plain kubeadm, machines already booted', unit: 's', values: theirs, judged: 'median' },
      {
        name: 'of the medians, ours to theirs',
        unit: 'times',
        values: [median(ours) / median(theirs)],
        judged: 'median',
        atMost: share,
      },
    ]
  },
}

export const upArguments = (cluster: string): string[] => [
  ...[
    'up',
    cluster,
    '--masters',
    '3',
    '--workers',
    '1',
    '--zones',
    'a,b,c',
    '--egress',
    'none',
    '--wait',
    '5m',
  ],
]
