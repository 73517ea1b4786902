/** What the training pictures of a model look like in general, to tell a picture that is quite unlike them. */

/** Statistics of the training pictures' features, a part of the card. */
export interface Look {
  mean: number[];
  inverse_covariance: number[][];
  /** Distance from which on a picture is unusual. */
  limit: number;
}

/** Mahalanobis distance of a picture (height, width, 3) from the training pictures. */
export function lookDistance(picture: Uint8Array, look: Look): number {
  const away = lookFeatures(picture).map((value, i) => value - look.mean[i]);
  let squared = 0;
  away.forEach((one, i) => away.forEach((other, j) => (squared += one * look.inverse_covariance[i][j] * other)));
  return Math.sqrt(Math.max(squared, 0));
}

/** Mean of red, green and blue, then their standard deviations, of values as the network takes them. */
function lookFeatures(picture: Uint8Array): number[] {
  const colours = [0, 1, 2].map((colour) => {
    const mean = meanOf(picture, colour, (value) => value);
    return { mean, spread: Math.sqrt(meanOf(picture, colour, (value) => (value - mean) ** 2)) };
  });
  return [...colours.map(({ mean }) => mean), ...colours.map(({ spread }) => spread)];
}

function meanOf(picture: Uint8Array, colour: number, of: (value: number) => number): number {
  let sum = 0;
  for (let i = colour; i < picture.length; i += 3) sum += of(Math.fround(picture[i] / 255));
  return sum / (picture.length / 3);
}
