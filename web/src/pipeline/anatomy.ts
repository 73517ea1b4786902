/**
 * Levels of the spine by their SCT values: the number n is the disc above vertebra n, with vertebra 1 = C1, 8 = T1,
 * 20 = L1. Members above 100 exist in numeric variants and have no SCT value.
 */
export const C1_TOP = 1;
export const C1_C2 = 2;
export const C2_C3 = 3;
export const T9_T10 = 17;
export const T10_T11 = 18;
export const T11_T12 = 19;
export const T12_L1 = 20;
export const L4_L5 = 24;
export const L5_S1 = 25;
export const T12_T13 = 101;
export const T13_L1 = 102;
export const L5_L6 = 103;
export const L6_S1 = 104;
export const L4_S1 = 105;
export const T11_L1 = 106;

/** The discs above a sacrum. */
export const ABOVE_SACRUM = [L5_S1, L6_S1, L4_S1];

const VERTEBRAE = [
  ...Array.from({ length: 7 }, (_, i) => `C${i + 1}`),
  ...Array.from({ length: 12 }, (_, i) => `T${i + 1}`),
  ...Array.from({ length: 5 }, (_, i) => `L${i + 1}`),
  "S1",
];
const VARIANT_LABELS: Record<number, string> = {
  [T12_T13]: "T12/T13",
  [T13_L1]: "T13/L1",
  [L5_L6]: "L5/L6",
  [L6_S1]: "L6/S1",
  [L4_S1]: "L4/S1",
  [T11_L1]: "T11/L1",
};
const NEIGHBOURS: Record<number, number> = {
  [T12_T13]: T12_L1,
  [T13_L1]: T12_L1,
  [L5_L6]: L5_S1,
  [L6_S1]: L5_S1,
  [L4_S1]: L5_S1,
  [T11_L1]: T12_L1,
};
const BETWEEN: Record<number, number> = {
  [T12_T13]: 19.4,
  [T13_L1]: 19.8,
  [L5_L6]: 24.4,
  [L6_S1]: 24.8,
  [L4_S1]: 24.9,
  [T11_L1]: 19.9,
};

/** Levels of the usual spine, top to bottom. */
export const REGULAR_LEVELS = Array.from({ length: 25 }, (_, i) => i + 1);
export const ALL_LEVELS = [...REGULAR_LEVELS, T12_T13, T13_L1, L5_L6, L6_S1, L4_S1, T11_L1];

/** Name as it is printed, such as C2/C3. */
export function levelName(level: number): string {
  if (level === C1_TOP) return "C1 top";
  return VARIANT_LABELS[level] ?? `${VERTEBRAE[level - 2]}/${VERTEBRAE[level - 1]}`;
}

/** Value in SCT label files, or null for the discs of a T13 or an L6. */
export function sctValue(level: number): number | null {
  return level <= L5_S1 ? level : null;
}

/** Value written to a label volume: the SCT value, or in a numeric variant that of the neighbour it touches. */
export function niftiValue(level: number): number {
  return NEIGHBOURS[level] ?? level;
}

/** Sort key that puts levels in order from the head down. */
export function anatomicalOrder(level: number): number {
  return BETWEEN[level] ?? level;
}

/** How many thoracic and lumbar vertebrae a spine has. */
export interface VertebraCount {
  thoracic: number;
  lumbar: number;
}

export const USUAL_COUNT: VertebraCount = { thoracic: 12, lumbar: 5 };
/**
 * Numeric variants and their shares of people: an unusual total was found in 8.2 % of 147 (Carrino et al., Radiology 259
 * (2011) 196-202); how they divide is an estimate.
 */
export const VARIANT_SHARES: [VertebraCount, number][] = [
  [{ thoracic: 12, lumbar: 6 }, 0.025],
  [{ thoracic: 12, lumbar: 4 }, 0.025],
  [{ thoracic: 13, lumbar: 5 }, 0.015],
  [{ thoracic: 11, lumbar: 5 }, 0.015],
];

/** Discs more (or less) than usual between C2 and the sacrum. */
export function extraDiscs(count: VertebraCount): number {
  return count.thoracic + count.lumbar - 17;
}

/** In words what is unusual, or null. */
export function variantName(count: VertebraCount): string | null {
  if (count.thoracic !== 12) return `${count.thoracic} thoracic vertebrae`;
  return count.lumbar === 5 ? null : `${count.lumbar} lumbar vertebrae`;
}

/** The levels from C1/C2 to the disc above the sacrum. */
export function levelsOf(count: VertebraCount): number[] {
  const thoracic: Record<number, number[]> = {
    11: [T11_L1],
    12: [T11_T12, T12_L1],
    13: [T11_T12, T12_T13, T13_L1],
  };
  const lumbar: Record<number, number[]> = { 4: [L4_S1], 5: [L4_L5, L5_S1], 6: [L4_L5, L5_L6, L6_S1] };
  const upper = REGULAR_LEVELS.filter((level) => C1_C2 <= level && level <= T10_T11);
  return [...upper, ...thoracic[count.thoracic], 21, 22, 23, ...lumbar[count.lumbar]];
}

/**
 * Entry i is the distance from SCT level i + 1 to i + 2 along the posterior tips, mm. Posterior body height plus disc
 * height of dry and cadaver spines (Panjabi et al., Spine 1991, 1991, 1992; Gilad and Nissan, Spine 1986).
 */
const MEAN_STEPS = [
  ...[14, 16.5, 18.5, 17.5, 16.5, 17, 18],
  ...[21, 21.5, 22.5, 23, 24, 25, 26, 26.5, 27.5, 28, 30, 31.5],
  ...[34, 35, 35, 34, 31],
];
/** Standard deviations relative to the mean: of a body's stature, and of each vertebra on its own. */
export const STATURE_SPREAD = 0.08;
export const OWN_SPREAD = 0.07;

/** Distances between the neighbouring levels of `count`, from C1/C2 down, mm. */
export function stepsOf(count: VertebraCount): number[] {
  const [thoracic, lumbar] = [MEAN_STEPS.slice(7, 19), MEAN_STEPS.slice(19)];
  // One more is as high as its neighbours at the end of its region, one less is missing in the middle of it.
  const places: [number[], number, number][] = [
    [thoracic, count.thoracic - 12, thoracic.length - 2],
    [lumbar, count.lumbar - 5, 1],
  ];
  for (const [steps, more, at] of places) steps.splice(at, 1, ...Array<number>(1 + more).fill(steps[at]));
  return [...MEAN_STEPS.slice(1, 7), ...thoracic, ...lumbar];
}
