import type { EtcdMember } from '../etcd/client.ts'
import { mayLose } from '../quorum/majority.ts'
import type { EtcdName } from '../spec/types.ts'
import { type Check, failed, outcome } from './check.ts'
import type { EtcdView } from './context.ts'

/**
 * All declared masters are voters, have started, serve without an error and agree on a leader. The
 * member of a master that is meant to be stopped (size 0) may be silent: it keeps its seat.
 */
export const etcdVoters = (name: EtcdName): Check => ({
  name: `etcd-${name}`,
  title: `etcd ${name}: every master votes`,
  async run(context) {
    const masters = context.declaration.groups.filter(({ spec }) => spec.role === 'master')
    const wanted = masters.filter(({ spec }) => spec.size > 0).length
    const stopped = new Set(masters.filter(({ spec }) => spec.size === 0).map(({ spec }) => spec.seat))
    const { members, statuses } = await context.etcd(name)
    if (members.length === 0) return failed('nobody answers')
    const expected = members.filter((member) => !stopped.has(member.name))
    const voters = expected.filter((member) => !member.isLearner)
    const missing = [
      ...expected.flatMap((member) => faultOf(member, statuses)),
      ...statuses.flatMap(({ machine, status }) =>
        (status?.errors ?? []).map((error) => `${machine.id}: ${error}`),
      ),
      ...(voters.length === wanted ? [] : [`${voters.length} of ${wanted} voters`]),
      ...(statuses.some(({ status }) => status && status.leaderId === status.memberId) ? [] : ['no leader']),
    ]
    const all = members.filter((member) => !member.isLearner).length
    return outcome(
      missing,
      `${voters.length} of ${wanted} voters, may lose ${Math.max(0, mayLose(all, voters.length))}`,
    )
  },
})

function faultOf(member: EtcdMember, statuses: EtcdView['statuses']): string[] {
  const name = member.name || member.id
  if (member.isLearner) return [`${name} is still a learner`]
  if (member.name === '') return [`${name} has not started`]
  const said = statuses.find(({ status }) => status?.memberId === member.id)
  if (!said) return [`${name} does not answer`]
  // A member can hear its leader and yet not be heard by it.
  const alone = !said.serves && statuses.some(({ serves }) => serves)
  return alone ? [`${name} answers, but no linearizable read`] : []
}
