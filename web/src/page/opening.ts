/** What dropped files are: NIfTI files as they come, DICOM series by the converter, zips by what is in them. */
import { LookOnceError } from "../errors";
import { isZip, unzip } from "../files/unpack";
import type { DicomConverter } from "../dicom/converter";
import type { PickedFile } from "./picked";

const NIFTI = /\.nii(\.gz)?$/i;
/** Sidecars and tables that lie beside scans and hold none. */
const BESIDE = /\.(json|csv|tsv|txt|html|md|bval|bvec|png|jpe?g|mrk\.json)$/i;

/** A NIfTI file, given or made. */
export interface NiftiFile {
  name: string;
  file: Blob;
}

/** NIfTI files in what was picked, or made of it. */
export async function niftiFiles(picked: PickedFile[], converter: DicomConverter): Promise<NiftiFile[]> {
  const files = (await Promise.all(picked.map(unpacked))).flat().filter(({ path }) => !isHidden(path));
  const nifti = files.filter(({ path }) => NIFTI.test(path));
  if (nifti.length) {
    return nifti.map(({ file }) => ({ name: file.name.split("/").pop()!, file }));
  }
  const others = files.filter(({ path }) => !BESIDE.test(path));
  const pair = others.find(({ path }) => /\.(hdr|img)(\.gz)?$/i.test(path));
  if (pair) throw new LookOnceError(`${pair.file.name}: pairs of .hdr and .img are not read here; convert them to .nii.gz`);
  if (!others.length) {
    throw new LookOnceError(`${picked[0]?.file.name ?? "this"}: is neither NIfTI nor DICOM; convert it to .nii.gz first`);
  }
  return converter.convert(others);
}

async function unpacked(picked: PickedFile): Promise<PickedFile[]> {
  const { path, file } = picked;
  const start = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (!isZip(start)) return [picked];
  const content = unzip(file.name, new Uint8Array(await file.arrayBuffer()));
  return [...content].map(([inner, bytes]) => ({
    path: `${path}/${inner}`,
    file: new File([bytes as BlobPart], inner.split("/").pop()!),
  }));
}

function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith("."));
}
