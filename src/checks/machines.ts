import { type Check, failed, outcome, passed } from './check.ts'

export const machinesRunning: Check = {
  name: 'machines',
  title: 'Machines run as declared',
  async run(context) {
    const { machines, groups } = await context.inventory()
    const missing = context.declaration.groups.flatMap(({ metadata, spec }) => {
      const own = machines.filter((machine) => machine.group === metadata.name)
      const running = own.filter((machine) => machine.state === 'running').length
      if (running === spec.size && own.length === spec.size) return []
      // Why the cloud does not get them running, where it knows.
      const trouble = [groups.find(({ name }) => name === metadata.name), ...own].flatMap(
        (one) => one?.trouble ?? [],
      )
      const count = `${metadata.name}: ${running} of ${spec.size} ${spec.size === 1 ? 'runs' : 'run'}`
      return [trouble.length > 0 ? `${count} (${trouble.join('; ')})` : count]
    })
    return outcome(missing, `${machines.length} running`)
  },
}

export const endpointReady: Check = {
  name: 'endpoint',
  title: 'API answers through the endpoint',
  async run(context) {
    const { endpoint } = await context.inventory()
    if (!endpoint) return failed('there is no endpoint')
    const answer = (await context.readyz()).trim()
    return answer === 'ok'
      ? passed(`https://${endpoint.address}:${endpoint.port}`)
      : failed(answer.slice(0, 200))
  },
}

export const balancerTargets: Check = {
  name: 'balancer',
  title: 'Balancer sees all masters up',
  async run(context) {
    const masters = context.declaration.groups
      .filter(({ spec }) => spec.role === 'master')
      .reduce((sum, { spec }) => sum + spec.size, 0)
    const targets = await context.endpointTargets()
    if (!targets) return passed('this cloud’s balancer does not tell')
    const down = targets.filter((target) => !target.up).map((target) => target.name)
    const up = targets.length - down.length
    if (up === masters && down.length === 0) return passed(`${up} of ${masters} up`)
    return failed(`${up} of ${masters} up${down.length > 0 ? `, down: ${down.join(', ')}` : ''}`)
  },
}
