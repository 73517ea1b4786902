/** What this page uses of dcm2niix's WebAssembly module, which comes without types. */
declare module "dcm2niix-module" {
  interface Dcm2niix {
    FS: {
      mkdir(path: string): void;
      createDataFile(folder: string, name: string, content: Uint8Array, canRead: boolean, canWrite: boolean): void;
      readdir(path: string): string[];
      readFile(path: string): Uint8Array;
    };
    callMain(options: string[]): number;
  }

  /** Takes the program over and gives its exports, which the call must give back. */
  type Receive = (instance: WebAssembly.Instance) => WebAssembly.Exports;

  export default function load(options: {
    instantiateWasm(imports: WebAssembly.Imports, receive: Receive): Promise<WebAssembly.Exports>;
    print?(line: string): void;
    printErr?(line: string): void;
  }): Promise<Dcm2niix>;
}
