import { at, bootNewMachine, freshId, reboot, type World } from './world.ts'

/** What can happen to a seat's machine, volume and data. */
export function harm(world: World, what: string, seat: string): void {
  if (what === 'off') {
    reboot(world, seat)
    at(world, seat).on = false
  } else if (what === 'on') reboot(world, seat)
  else if (what === 'replace') bootNewMachine(world, seat)
  else if (what === 'wipe') {
    reboot(world, seat)
    at(world, seat).disk = { volumeId: at(world, seat).disk.volumeId }
  } else if (what === 'gut') {
    // The data is gone, and the stamp that names it is still there.
    reboot(world, seat)
    delete at(world, seat).disk.data
  } else if (what === 'lose') {
    bootNewMachine(world, seat)
    at(world, seat).disk = { volumeId: freshId(world, `vol-${seat}`) }
  } else if (what === 'unmount' || what === 'mount') {
    reboot(world, seat)
    at(world, seat).mounted = what === 'mount'
  } else if (what === 'stick') {
    const it = at(world, seat)
    it.stuck = it.manifest === 'pod'
  } else if (what === 'corrupt') {
    const { data } = at(world, seat).disk
    if (data) data.corrupt = true
  } else throw new Error(`no such harm: ${what}`)
}
