import type { Problem } from '../errors.ts'
import type { Declaration, InstanceGroupSpec } from './types.ts'

/** etcd's authors advise seven members at most: https://etcd.io/docs/latest/faq/ */
const mostMasters = 7

type Master = { group: InstanceGroupSpec; index: number }

/** How many masters, where, and in which seats. */
export function masterProblems({ groups }: Declaration): Problem[] {
  const masters = groups
    .map((group, index) => ({ group, index }))
    .filter(({ group }) => group.spec.role === 'master')
  const problems: Problem[] = []
  const at = (severity: Problem['severity'], path: string, message: string, remedy: string) =>
    problems.push({ severity, path, message, remedy })

  if (masters.length === 0)
    at('error', 'groups', 'there is no master', 'Declare a group with the role master.')
  else if (masters.length > mostMasters)
    at(
      'error',
      'groups',
      `there are ${masters.length} masters; etcd works with seven at most`,
      'Declare 3 or 5.',
    )
  else if (masters.length % 2 === 0)
    at(
      'error',
      'groups',
      `there are ${masters.length} masters, an even number: etcd needs a majority, so one more than ${masters.length - 1} adds a machine that can fail and no safety`,
      `Declare ${masters.length - 1}${masters.length < mostMasters ? ` or ${masters.length + 1}` : ''}.`,
    )

  for (const { group, index } of masters)
    if (group.spec.size > 1)
      at(
        'error',
        `groups[${index}].spec.size`,
        `master group ${group.metadata.name} has the size ${group.spec.size}; each master is a group of its own`,
        'Use 1 (or 0 to stop it for a while) and declare a group for each other master.',
      )
  for (const { group, index } of masters)
    if (group.spec.zones.length > 1)
      at(
        'error',
        `groups[${index}].spec.zones`,
        `master group ${group.metadata.name} has ${group.spec.zones.length} zones; its volumes tie it to one`,
        'Name one zone.',
      )
  const countable = problems.every((problem) => problem.path !== 'groups')
  problems.push(...seatProblems(groups, masters), ...(countable ? spreadProblems(masters) : []))
  return problems
}

function seatProblems(groups: readonly InstanceGroupSpec[], masters: readonly Master[]): Problem[] {
  const problems: Problem[] = []
  const holders = new Map<string, string>()
  for (const [index, group] of groups.entries()) {
    const { seat } = group.spec
    const error = (message: string, remedy: string) =>
      problems.push({ severity: 'error', path: `groups[${index}].spec.seat`, message, remedy })
    if (group.spec.role === 'node') {
      if (seat !== undefined)
        error(`group ${group.metadata.name} has a seat, and only masters have one`, 'Take the line out.')
      continue
    }
    if (seat === undefined) error(`master group ${group.metadata.name} has no seat`, 'Give it a letter.')
    else if (!/^[a-z]$/.test(seat)) error(`the seat "${seat}" is not one letter`, 'Use a, b, c and so on.')
    else if (holders.has(seat))
      error(
        `seat ${seat} is that of ${holders.get(seat)} already`,
        `Use ${freeSeat(masters)} for ${group.metadata.name}.`,
      )
    else holders.set(seat, group.metadata.name)
  }
  return problems
}

const freeSeat = (masters: readonly Master[]): string =>
  [...'abcdefghijklmnopqrstuvwxyz'].find(
    (letter) => !masters.some(({ group }) => group.spec.seat === letter),
  ) ?? 'another'

/** Masters that share a zone are allowed, and said: in a region of two zones there is no other way. */
function spreadProblems(masters: readonly Master[]): Problem[] {
  const total = masters.length
  const needed = Math.floor(total / 2) + 1
  const problems: Problem[] = []
  const zones = new Set(masters.flatMap(({ group }) => group.spec.zones.slice(0, 1)))
  for (const zone of zones) {
    const here = masters.filter(({ group }) => group.spec.zones[0] === zone)
    const last = here.at(-1)
    if (here.length < 2 || !last) continue
    const outcome =
      total - here.length < needed
        ? 'losing that zone takes the quorum'
        : 'with one more lost, the quorum is gone'
    problems.push({
      severity: 'warning',
      path: `groups[${last.index}].spec.zones`,
      message: `zone ${zone} holds ${here.length} of ${total} masters: ${outcome}`,
      remedy: 'Put each master in a zone of its own where there are enough zones.',
    })
  }
  const running = masters.filter(({ group }) => group.spec.size > 0).length
  if (running < total && running < needed)
    problems.push({
      severity: 'warning',
      path: 'groups',
      message: `${running} of ${total} masters are to run, and etcd needs ${needed}: the API will be down`,
      remedy: 'Give the master groups the size 1 again when it is to come back.',
    })
  return problems
}
