import type { EtcdName } from '../spec/types.ts'
import { type Check, failed, outcome } from './check.ts'

/** All declared masters are voters, have started, answer without an error and agree on a leader. */
export const etcdVoters = (name: EtcdName): Check => ({
  name: `etcd-${name}`,
  title: `etcd ${name}: every master votes`,
  async run(context) {
    const wanted = context.declaration.groups.filter(
      ({ spec }) => spec.role === 'master' && spec.size > 0,
    ).length
    const { members, statuses } = await context.etcd(name)
    if (members.length === 0) return failed('nobody answers')
    const voters = members.filter((member) => !member.isLearner)
    const nameOf = (member: { name: string; id: string }) => member.name || member.id
    const missing = [
      ...members.filter((member) => member.isLearner).map((member) => `${nameOf(member)} is still a learner`),
      ...members.filter((member) => member.name === '').map((member) => `${member.id} has not started`),
      ...voters
        .filter((member) => !statuses.some(({ status }) => status?.memberId === member.id))
        .map((member) => `${nameOf(member)} does not answer`),
      ...statuses.flatMap(({ machine, status }) =>
        (status?.errors ?? []).map((error) => `${machine.id}: ${error}`),
      ),
      ...(voters.length === wanted ? [] : [`${voters.length} of ${wanted} voters`]),
      ...(statuses.some(({ status }) => status && status.leaderId === status.memberId) ? [] : ['no leader']),
    ]
    return outcome(
      missing,
      `${voters.length} of ${wanted} voters, may lose ${Math.floor((voters.length - 1) / 2)}`,
    )
  },
})
