import { nearest } from './nearest.ts'

/** Regions of AWS and the letters of their zones. An account may see fewer; a plan on AWS asks. */
const zoneLetters: Record<string, string> = {
  'af-south-1': 'abc',
  'ap-east-1': 'abc',
  'ap-northeast-1': 'abcd',
  'ap-northeast-2': 'abcd',
  'ap-northeast-3': 'abc',
  'ap-south-1': 'abc',
  'ap-south-2': 'abc',
  'ap-southeast-1': 'abc',
  'ap-southeast-2': 'abc',
  'ap-southeast-3': 'abc',
  'ap-southeast-4': 'abc',
  'ap-southeast-5': 'abc',
  'ap-southeast-7': 'abc',
  'ca-central-1': 'abd',
  'ca-west-1': 'abc',
  'cn-north-1': 'abd',
  'cn-northwest-1': 'abc',
  'eu-central-1': 'abc',
  'eu-central-2': 'abc',
  'eu-north-1': 'abc',
  'eu-south-1': 'abc',
  'eu-south-2': 'abc',
  'eu-west-1': 'abc',
  'eu-west-2': 'abc',
  'eu-west-3': 'abc',
  'il-central-1': 'abc',
  'me-central-1': 'abc',
  'me-south-1': 'abc',
  'mx-central-1': 'abc',
  'sa-east-1': 'abc',
  'us-east-1': 'abcdef',
  'us-east-2': 'abc',
  'us-gov-east-1': 'abc',
  'us-gov-west-1': 'abc',
  'us-west-1': 'abc',
  'us-west-2': 'abcd',
}

const pattern = /^([a-z]{2}(?:-gov)?-[a-z]+-\d)([a-z])$/

/** Whether a name has the form of AWS' zones, known or not. */
export const looksLikeAws = (zone: string): boolean => pattern.test(zone)

/** `us-west-2` of `us-west-2a`; undefined when the form is another. */
export const regionOf = (zone: string): string | undefined => pattern.exec(zone)?.[1]

/** What is wrong with a zone's name on AWS, with a remedy. */
export function awsZoneFault(zone: string): { message: string; remedy: string } | undefined {
  const [, region = '', letter = ''] = pattern.exec(zone) ?? []
  if (region === '')
    return {
      message: `${zone} is no zone of AWS`,
      remedy: zoneLetters[zone]
        ? `That is a region; its zones are ${zonesOf(zone)}.`
        : 'Zones are named like us-west-2a.',
    }
  const letters = zoneLetters[region]
  if (letters === undefined) {
    const meant = nearest(region, Object.keys(zoneLetters))
    return {
      message: `${zone} is no zone of AWS: there is no region ${region}`,
      remedy: meant ? `Did you mean ${meant}${letter}?` : 'Zones are named like us-west-2a.',
    }
  }
  if (letters.includes(letter)) return undefined
  return { message: `${zone} is no zone of AWS`, remedy: `${region} has ${zonesOf(region)}.` }
}

const zonesOf = (region: string): string =>
  [...(zoneLetters[region] ?? '')].map((letter) => region + letter).join(', ')
