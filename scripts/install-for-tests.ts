/** What the end-to-end tests use of this host besides what Holdfast itself needs. */
import { installMissing } from '../src/assets/host-packages.ts'

const wanted = [
  { tool: 'iptables', package: 'iptables', reason: 'stands for a host whose rules drop bridged packets' },
]

await installMissing({
  report: (event) => {
    if (event.type === 'step-started') console.log(event.title)
    if (event.type === 'warning') console.log(event.message)
  },
  wanted,
})
