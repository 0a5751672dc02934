import type { CloudStep } from '../clouds/cloud.ts'
import type { Problem } from '../errors.ts'
import { applyProblems } from '../plan/apply-problems.ts'
import { planApply } from '../plan/create.ts'
import { type QuorumLine, simulateQuorum } from '../plan/quorum-line.ts'
import { validateDeclaration } from '../spec/validate.ts'
import { type Declared, readDeclared, refuseUnfinishedDeletion } from './declared.ts'
import type { Operation } from './operation.ts'

/** What would be carried out, and what stands in its way. */
export interface Plan {
  cluster: string
  declared: Declared
  /** The very array that `applyCluster` carries out. */
  steps: readonly CloudStep[]
  /** etcd after each step. */
  quorum: readonly QuorumLine[]
  problems: readonly Problem[]
}

/** Looks at what is declared and what is there; changes nothing. */
export async function planCluster(operation: Operation, cluster: string): Promise<Plan> {
  const declared = await readDeclared(operation.store, cluster)
  await refuseUnfinishedDeletion(operation.store, cluster)
  const { declaration } = declared
  const cloud = await operation.cloud(declaration.cluster.spec.cloud)
  const [inventory, found, agent] = await Promise.all([
    cloud.observe(cluster),
    cloud.check(declaration),
    operation.agent(),
  ])
  const steps = planApply(declaration, inventory, { agentSha256: agent.sha256 })
  return {
    cluster,
    declared,
    steps,
    quorum: simulateQuorum(steps, inventory),
    problems: [...validateDeclaration(declaration), ...applyProblems(declaration, inventory), ...found],
  }
}
