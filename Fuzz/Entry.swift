/// The entry point of libFuzzer, the same for every target (see the README of each). It is called with each input; what
/// must hold for every input the target checks in `checkInput`, in such a way that breaking it ends the process like a
/// memory fault would.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzerTestOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  checkInput(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}
