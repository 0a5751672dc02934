import { at, bootNewMachine, freshId, machines, reboot, type World } from './world.ts'

/** What can happen to a machine, its volume and its data. `name`: a seat's newest machine, or one before it (`a~`). */
export function harm(world: World, what: string, name: string): void {
  const it = at(world, name)
  const { seat, disk } = it
  const isElsewhere = [...machines(world).values()].some(
    (other) => other !== it && other.machine === disk.attachedTo,
  )
  if (what === 'off') {
    reboot(it)
    it.on = false
  } else if (what === 'on') reboot(it)
  else if (what === 'replace') bootNewMachine(world, seat)
  else if (what === 'wipe') {
    // Nobody empties what another machine has.
    if (isElsewhere) return
    reboot(it)
    delete disk.stamp
    delete disk.data
  } else if (what === 'gut') {
    // The data is gone, and the stamp that names it is still there.
    if (isElsewhere) return
    reboot(it)
    delete disk.data
  } else if (what === 'lose') {
    bootNewMachine(world, seat)
    at(world, seat).disk = { volumeId: freshId(world, `vol-${seat}`) }
  } else if (what === 'unmount' || what === 'mount') {
    reboot(it)
    it.mounted = what === 'mount'
  } else if (what === 'stick') it.stuck = it.manifest === 'pod'
  else if (what === 'cut' || what === 'mend') {
    // A single member has nobody to be cut off from.
    it.cut = what === 'cut' && world.declared.length > 1
  } else if (what === 'forget') {
    // Nobody is missing from what a founder holds.
    if (disk.data && disk.stamp?.formed) disk.data.unserving = true
  } else if (what === 'corrupt') {
    if (disk.data) disk.data.corrupt = true
  } else if (what === 'haunt') {
    // The seat gets another machine, and this one lives on.
    world.former.push(it)
    bootNewMachine(world, seat)
  } else if (what === 'unlist') {
    for (const one of world.former) if (one.seat === seat) one.listed = false
  } else if (what === 'bury') world.former = world.former.filter((one) => one.seat !== seat)
  else throw new Error(`no such harm: ${what}`)
}
