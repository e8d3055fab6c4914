/**
 * The culprit finder: a value of a dimension is suspected when its requests fail clearly more often
 * than those of all other values together, and often enough that it cannot be chance.
 */

/** The figures of the requests that share one value. */
export interface Group {
  readonly key: string | null;
  readonly requests: number;
  readonly failures: number;
}

/** A value that is over-represented among the failures. */
export interface Suspect {
  readonly dimension: string;
  readonly value: string;
  /** Its failures, and those of all values. */
  readonly failures: number;
  readonly total: number;
  /** How many times as often its requests fail as those of the others. */
  readonly lift: number;
}

/** Fewer failures than this are chance. */
const FAILURES_MIN = 5;

/** A smaller lift is the usual spread between replicas. */
const LIFT_MIN = 2;

/** A lift over others that hardly ever fail is shown as no more than this: beyond it the number says nothing. */
const LIFT_MAX = 999;

/** How many standard deviations the difference must stand out by: 3 is chance once in 700 looks. */
const DEVIATIONS_MIN = 3;

/** The suspects of one dimension, the strongest first. A single value has nothing to be compared with. */
export function suspects(dimension: string, groups: readonly Group[]): Suspect[] {
  const requests = sum(groups.map((group) => group.requests));
  const failures = sum(groups.map((group) => group.failures));
  return groups
    .flatMap((group): Suspect[] => {
      const others = { requests: requests - group.requests, failures: failures - group.failures };
      if (group.key === null || group.failures < FAILURES_MIN || others.requests === 0) {
        return [];
      }
      const lift = liftOf(group, others);
      if (lift < LIFT_MIN || deviations(group, others) < DEVIATIONS_MIN) {
        return [];
      }
      return [{ dimension, value: group.key, failures: group.failures, total: failures, lift }];
    })
    .sort((a, b) => b.lift - a.lift);
}

/** How strongly to tint each value's failures: not at all unless it is a suspect, nearly 1 for a great lift. */
export function failureTints(groups: readonly Group[]): ReadonlyMap<string, number> {
  return new Map(suspects("", groups).map(({ value, lift }) => [value, 1 - 1 / lift]));
}

interface Counts {
  readonly requests: number;
  readonly failures: number;
}

function liftOf(group: Counts, others: Counts): number {
  // Half a failure among the others stands for "none yet", so that the lift stays a number.
  const rest = Math.max(others.failures, 0.5) / others.requests;
  return Math.min(LIFT_MAX, group.failures / group.requests / rest);
}

/** The two-proportion test: the difference of the ratios in standard deviations of chance. */
function deviations(group: Counts, others: Counts): number {
  const pooled = (group.failures + others.failures) / (group.requests + others.requests);
  const spread = Math.sqrt(pooled * (1 - pooled) * (1 / group.requests + 1 / others.requests));
  const difference = group.failures / group.requests - others.failures / others.requests;
  return spread === 0 ? 0 : difference / spread;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
