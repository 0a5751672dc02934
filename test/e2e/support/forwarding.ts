/**
 * Started by forwarding.test.ts in network and mount namespaces of its own: a bridge with two machines and
 * an outside behind it, on a host whose iptables drop what nobody accepts. Prints what gets through.
 *   forwarding.ts none|nat
 */
import { execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { addForwarding, ownIptablesRules, removeForwarding } from '../../../src/clouds/local/network-rules.ts'

const egress = process.argv[2] === 'nat' ? 'nat' : 'none'
const bridge = 'hf-f0f0f0-0'
const run = (line: string): string => {
  const [file = '', ...args] = line.split(' ')
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function place(name: string, address: string, gateway?: string): void {
  run(`ip netns add ${name}`)
  run(`ip link add v-${name} type veth peer name eth0 netns ${name}`)
  run(`ip link set v-${name} up`)
  run(`ip -n ${name} address add ${address}/24 dev eth0`)
  run(`ip -n ${name} link set eth0 up`)
  if (gateway) run(`ip -n ${name} route add default via ${gateway}`)
}

run('ip link set lo up')
run(`ip link add ${bridge} type bridge`)
run(`ip address add 10.9.0.1/24 dev ${bridge}`)
run(`ip link set ${bridge} up`)
for (const [name, address] of [
  ['one', '10.9.0.2'],
  ['two', '10.9.0.3'],
] as const) {
  place(name, address, '10.9.0.1')
  run(`ip link set v-${name} master ${bridge}`)
}
place('outside', '198.51.100.2')
run('ip address add 198.51.100.1/24 dev v-outside')
// As on a host with Docker: bridged frames pass iptables, whose policy drops them.
writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', '1\n')
run('iptables -P FORWARD DROP')

/** Answers each connection with the address that it came from. */
const server =
  "require('net').createServer((s) => s.end(s.remoteAddress)).listen(80, '0.0.0.0', () => console.log('up'))"
const client = (address: string): string =>
  `const s = require('net').connect(80, '${address}'); s.setTimeout(700, () => process.exit(1)); ` +
  "s.on('error', () => process.exit(1)); s.on('data', (d) => console.log(String(d))); s.on('end', () => process.exit(0))"
const inside = (name: string, script: string): string[] => [
  'netns',
  'exec',
  name,
  process.execPath,
  '-e',
  script,
]
const servers = ['two', 'outside'].map((name) =>
  spawn('ip', inside(name, server), { stdio: ['ignore', 'pipe', 'inherit'] }),
)
await Promise.all(servers.map((one) => new Promise((resolve) => one.stdout?.once('data', resolve))))

/** The address under which a connection of machine `one` is seen; false when none comes about. */
function reach(address: string): string | false {
  try {
    return execFileSync('ip', inside('one', client(address)), { encoding: 'utf8' }).trim()
  } catch {
    return false
  }
}
const look = () => ({
  machine: reach('10.9.0.3'),
  outside: reach('198.51.100.2'),
  rules: run('iptables -S FORWARD').trim().split('\n'),
})

const before = look()
await addForwarding(bridge, egress)
const first = look()
// As if the one who inserted them had been killed after the first.
const own = ownIptablesRules(run('iptables -S FORWARD'), bridge)
for (const rule of own.slice(0, -1)) execFileSync('iptables', ['-D', ...rule])
await addForwarding(bridge, egress)
const again = look()
await removeForwarding(bridge)
const after = look()
for (const one of servers) one.kill('SIGKILL')
process.stdout.write(JSON.stringify({ before, first, again, after, tables: run('nft list tables') }))
