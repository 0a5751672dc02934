import { open } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { backend, patientBackend, type Slot, slots } from './render.ts'

const answerTimeoutMs = 2_000

/** What HAProxy says about one slot. */
export interface SlotState {
  slot: Slot
  address: string
  /** 'starting' is a server on its way up: no new connection goes there yet. */
  state: 'up' | 'down' | 'drain' | 'maint' | 'starting'
  /** How long it has been in this state. */
  sinceSeconds: number
  /** Connections now, by either backend. */
  sessions: number
  /** The last check in HAProxy's words, for example `L7OK/200` or `L4CON`. */
  check: string
}

/** Sends commands to HAProxy's admin socket, all in one go, and returns the whole answer. */
export async function askHaproxy(socketPath: string, commands: readonly string[]): Promise<string> {
  // A socket's path may have 107 characters; a home's may be longer, so go by the open folder.
  const folder = await open(dirname(socketPath), 'r')
  try {
    return await exchange(`/proc/self/fd/${folder.fd}/${basename(socketPath)}`, `${commands.join(';')}\n`)
  } finally {
    await folder.close()
  }
}

function exchange(path: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect(path)
    socket.setEncoding('utf8')
    socket.setTimeout(answerTimeoutMs, () =>
      socket.destroy(new Error(`HAProxy gave no answer within ${answerTimeoutMs} ms`)),
    )
    socket.on('connect', () => socket.write(request))
    socket.on('data', (text: string) => {
      answer += text
    })
    socket.on('error', reject)
    socket.on('end', () => resolve(answer))
  })
}

export async function slotStates(socketPath: string): Promise<SlotState[]> {
  return parseStates(await askHaproxy(socketPath, ['show stat -1 4 -1']))
}

/** Reads `show stat`: comma separated, the first line names the columns. Pure. */
export function parseStates(csv: string): SlotState[] {
  const [header = '', ...rows] = csv.trim().split('\n')
  const columns = header.replace(/^# /, '').split(',')
  const servers = rows.map((row) => {
    const fields = row.split(',')
    return (name: string) => fields[columns.indexOf(name)] ?? ''
  })
  const find = (name: string, slot: Slot) =>
    servers.find((field) => field('pxname') === name && field('svname') === slot)
  return slots.flatMap((slot): SlotState[] => {
    const field = find(backend, slot)
    if (!field) return []
    return [
      {
        slot,
        address: field('addr').replace(/:\d+$/, ''),
        state: stateOf(field('status')),
        sinceSeconds: Number(field('lastchg')),
        sessions: Number(field('scur')) + Number(find(patientBackend, slot)?.('scur') ?? 0),
        check: [field('check_status'), field('check_code')].filter(Boolean).join('/'),
      },
    ]
  })
}

/** HAProxy says `UP 1/2` of a server that is up and failing, `DOWN 1/2` of one that is down and rising. */
function stateOf(status: string): SlotState['state'] {
  if (status.startsWith('MAINT')) return 'maint'
  if (status.startsWith('DRAIN')) return 'drain'
  if (status.startsWith('UP')) return 'up'
  return status.startsWith('DOWN 1/') ? 'starting' : 'down'
}
