import { HoldfastError } from '../../errors.ts'
import type { EtcdName } from '../../spec/types.ts'
import type { Volume } from '../cloud.ts'
import {
  addVolumeRecord,
  type HeldCluster,
  type Runtime,
  removeVolumeRecord,
  updateCluster,
} from './daemon-state.ts'
import type { LocalMachine, LocalVolume } from './parts.ts'

export interface WantedVolume {
  seat: string
  etcd: EtcdName
  zone: string
  sizeGib: number
}

/**
 * One volume for a seat's member in a zone. Asked for twice (or by two at once) it is the same one,
 * so an answer that was lost does no harm.
 */
export function createVolume(
  runtime: Runtime,
  held: HeldCluster,
  wanted: WantedVolume,
): Promise<LocalVolume> {
  return held.volumeWork(async () => {
    await dropLost(runtime, held)
    const same = [...held.volumes.values()].find(
      ({ seat, etcd, zone }) => seat === wanted.seat && etcd === wanted.etcd && zone === wanted.zone,
    )
    if (same) return same
    const volume: LocalVolume = {
      id: `${wanted.seat}-${wanted.etcd}-${runtime.randomSuffix()}`,
      cluster: held.name,
      ...wanted,
    }
    // The data first: a record without data would look like a volume that lost everything.
    await runtime.actions.createVolume(runtime.home, volume)
    await addVolumeRecord(runtime.home, held, volume)
    runtime.report({
      type: 'note',
      message: `${held.name}: volume ${volume.id}, ${volume.sizeGib} GiB in ${volume.zone}`,
    })
    return volume
  })
}

/** A master asks for a new volume in its zone; the size is the one the operator used for such volumes. */
export async function createVolumeFor(
  runtime: Runtime,
  held: HeldCluster,
  machineId: string,
  seat: string,
  etcd: EtcdName,
): Promise<Volume> {
  const machine = askingMaster(held, machineId)
  const sizeGib = held.cluster.volumeSizesGib?.[etcd]
  if (sizeGib === undefined) {
    throw new HoldfastError(
      'volume-size-unknown',
      `${held.name} never had a volume for etcd ${etcd}, so its size is unknown`,
      {
        remedy: 'Run `holdfast update cluster --yes`, which creates the volumes.',
      },
    )
  }
  return contractVolume(await createVolume(runtime, held, { seat, etcd, zone: machine.zone, sizeGib }))
}

/** The size for volumes that masters ask for later. */
export async function rememberSize(
  runtime: Runtime,
  held: HeldCluster,
  etcd: EtcdName,
  sizeGib: number,
): Promise<void> {
  if (held.cluster.volumeSizesGib?.[etcd] === sizeGib) return
  await updateCluster(runtime.home, held, (cluster) => ({
    ...cluster,
    volumeSizesGib: { ...cluster.volumeSizesGib, [etcd]: sizeGib },
  }))
}

/**
 * Attaches to the machine that asks and to no other. Who has a volume is asked from the kernel.
 * @throws HoldfastError `volume-missing`, `zone-mismatch`, `volume-busy`, `volume-withheld`, `volume-denied`.
 */
export function attach(
  runtime: Runtime,
  held: HeldCluster,
  machineId: string,
  volumeId: string,
): Promise<{ device: string }> {
  return held.volumeWork(async () => {
    const machine = askingMaster(held, machineId)
    const volume = held.volumes.get(volumeId)
    if (!volume) throw new HoldfastError('volume-missing', `${held.name} has no volume ${volumeId}`)
    if (volume.zone !== machine.zone) {
      throw new HoldfastError(
        'zone-mismatch',
        `Volume ${volumeId} is in zone ${volume.zone}, machine ${machineId} in ${machine.zone}`,
        { remedy: 'A volume attaches only to machines of its own zone.' },
      )
    }
    if (machine.withholdVolumes) {
      throw new HoldfastError(
        'volume-withheld',
        `Volumes are withheld from ${machineId} until they are released`,
      )
    }
    const holder = (await holders(runtime, held)).get(volumeId)
    if (holder !== undefined && holder !== machineId) {
      throw new HoldfastError('volume-busy', `Volume ${volumeId} is attached to ${holder}`, {
        remedy: 'It is free as soon as that machine is gone.',
      })
    }
    return await runtime.actions.attachVolume(runtime.home, volume, machine)
  })
}

/** @throws HoldfastError `volume-busy` while a machine has it. */
export function deleteVolume(runtime: Runtime, held: HeldCluster, volumeId: string): Promise<void> {
  return held.volumeWork(async () => {
    const volume = held.volumes.get(volumeId)
    if (!volume) return
    const holder = (await holders(runtime, held)).get(volumeId)
    if (holder !== undefined && held.machines.has(holder)) {
      throw new HoldfastError(
        'volume-busy',
        `Volume ${volumeId} is attached to ${holder}, so it is not deleted`,
        {
          remedy: `Terminate ${holder} first.`,
        },
      )
    }
    // Killed in between, an adopting daemon goes on: nothing deletes data that bears no mark.
    await runtime.actions.condemnVolume(runtime.home, volume)
    await removeVolumeRecord(runtime.home, held, volumeId)
    await runtime.actions.deleteVolume(runtime.home, volume)
  })
}

/** After another daemon was killed: what it left half made or half deleted. What may be wanted stays. */
export async function adoptVolumes(runtime: Runtime, held: HeldCluster): Promise<void> {
  const kept = await runtime.actions.sweepVolumes(runtime.home, held.name, new Set(held.volumes.keys()))
  for (const file of kept) {
    runtime.report({
      type: 'warning',
      message: `${held.name}: ${file} is no volume that is remembered, but may hold data: it is kept. Delete it when nobody wants it.`,
    })
  }
  await held.volumeWork(() => dropLost(runtime, held))
}

/** A record without data is a lost volume: left there it would keep its seat from ever getting another. */
async function dropLost(runtime: Runtime, held: HeldCluster): Promise<void> {
  for (const { id } of await lostVolumes(runtime, held)) {
    await removeVolumeRecord(runtime.home, held, id)
    runtime.report({
      type: 'warning',
      message: `${held.name}: the data of volume ${id} is gone; it is forgotten, so that its seat gets another`,
    })
  }
}

async function lostVolumes(runtime: Runtime, held: HeldCluster): Promise<LocalVolume[]> {
  const volumes = [...held.volumes.values()]
  const there = await Promise.all(volumes.map((volume) => runtime.actions.hasData(runtime.home, volume)))
  const without = volumes.filter((_, index) => !there[index])
  if (without.length === 0) return []
  // The kernel keeps a removed file for the machine that has it.
  const attached = await holders(runtime, held)
  return without.filter(({ id }) => !attached.has(id))
}

/** Volumes as the contract has them, with who has each now. */
export async function observedVolumes(runtime: Runtime, held: HeldCluster): Promise<Volume[]> {
  if ((await lostVolumes(runtime, held)).length > 0) await held.volumeWork(() => dropLost(runtime, held))
  const attached = held.volumes.size === 0 ? new Map<string, string>() : await holders(runtime, held)
  const byId = [...held.volumes.values()].sort((one, other) => one.id.localeCompare(other.id))
  return byId.map((volume) => contractVolume(volume, attached.get(volume.id)))
}

const holders = (runtime: Runtime, held: HeldCluster): Promise<Map<string, string>> =>
  runtime.actions.attachments(runtime.home, held.name, [...held.machines.values()])

function askingMaster(held: HeldCluster, machineId: string): LocalMachine {
  const machine = held.machines.get(machineId)
  const busy = held.busy.get(machineId)
  if (!machine || machine.doomed || busy === 'stopping' || busy === 'removing') {
    throw new HoldfastError('machine-going', `Machine ${machineId} is on its way out, so it gets no volumes`)
  }
  if (machine.role !== 'master') {
    throw new HoldfastError(
      'volume-denied',
      `${machineId} is no master: etcd's volumes are the masters' alone`,
    )
  }
  return machine
}

function contractVolume(volume: LocalVolume, attachedTo?: string): Volume {
  const { id, seat, etcd, zone, sizeGib } = volume
  return { id, seat, etcd, zone, sizeGib, ...(attachedTo === undefined ? {} : { attachedTo }) }
}
