import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type TestCli, testCli } from './support.ts'

let cli: TestCli
beforeEach(() => {
  cli = testCli()
})
afterEach(() => cli.remove())

/** The commands as kops' users type them, word for word. */
const zones = 'us-west-2a,us-west-2b,us-west-2c'
const first = `create cluster --node-count 3 --zones ${zones} --master-zones ${zones} --node-size t2.medium --master-size t2.medium --topology private --networking kopeio-vxlan hacluster.example.com`
const second = [
  ...`create cluster --node-count 3 --zones ${zones} --master-zones ${zones} --dns-zone example.com --node-size t2.medium --master-size t2.medium --node-security-groups sg-12345678 --master-security-groups sg-12345678,i-abcd1234 --topology private --networking weave --cloud-labels`.split(
    ' ',
  ),
  'Team=Dev,Owner=John Doe',
  ...'--image 293135079892/k8s-1.4-debian-jessie-amd64-hvm-ebs-2016-11-16 second.example.com'.split(' '),
]

describe('commands of kops', () => {
  test('the first is declared, its plan shown, and the dead network named', async () => {
    const ran = await cli.run(first.split(' '))

    expect(ran.code).toBe(0)
    expect(ran.out).toContain('Cluster hacluster.example.com is declared; nothing is made yet.')
    expect(ran.out).toContain('To be carried out: 12 steps')
    expect(ran.out).toContain('kopeio-vxlan is no longer maintained: vxlan is declared in its place')
    const shown = await cli.run(['get', 'cluster', 'hacluster.example.com', '-o', 'json'])
    expect(JSON.parse(shown.out)[0].cluster.spec.networking.kind).toBe('vxlan')
  })

  test('the second is declared with its problems, and refused when it is to be carried out', async () => {
    const ran = await cli.run(second)

    expect(ran.code).toBe(0)
    for (const said of ['weave is no longer maintained', 'i-abcd1234', 'is years too old'])
      expect(ran.out).toContain(said)
    const update = await cli.run(['update', 'cluster', 'second.example.com', '--yes'])
    expect(update.code).toBe(2)
    expect(update.err).toContain('i-abcd1234')
    expect(update.err).toContain('is years too old')
    expect((await cli.run(['get', 'machines', 'second.example.com', '-o', 'json'])).out.trim()).toBe('[]')
  })

  test('three masters in one zone are declared, with a warning', async () => {
    const words = 'create cluster --master-count=3 --master-zones=us-west-2a --zones=us-west-2a,us-west-2b'
    const ran = await cli.run([...words.split(' '), 'third.example.com'])

    expect(ran.code).toBe(0)
    expect(ran.out).toContain('warning')
    expect(ran.out).toContain('us-west-2a holds 3 of 3 masters')
  })

  test('a declaration that is shown can be given back unchanged', async () => {
    await cli.run(first.split(' '))
    const { out } = await cli.run(['get', 'cluster', 'hacluster.example.com', '-o', 'yaml'])
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${cli.cwd}/same.yaml`, out)
    const before = cli.snapshot()

    const ran = await cli.run(['replace', '-f', 'same.yaml'])

    expect(ran.code).toBe(0)
    expect(cli.snapshot()).toEqual(before)
  })
})
