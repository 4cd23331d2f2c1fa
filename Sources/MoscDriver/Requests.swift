import MoscIR
import MoscSample

/// Where compiled kernels go and come from, and what is shown on the way.
package struct CompilationOptions: Hashable, Sendable {
  /// The processor to compile for: `native`, or an LLVM CPU name such as `x86-64-v3`.
  package var cpu = "native"
  /// LLVM features to add or leave out, such as `-avx512f,+avx2`.
  package var attributes = ""
  /// How much is done to make code fast.
  package var level = OptimisationLevel.usual
  /// Whether code carries line tables that debuggers and profilers read.
  package var hasDebugInfo = false
  /// A folder that receives every kernel as text, for `mosc replay compare`.
  package var recordFolder: String?
  /// A file that receives the module when passes or code generation fail; nil for none.
  package var reproducer: String?
  /// The number of threads of compilation and of kernels; nil for the physical cores.
  package var threads: Int?
  /// The folder of the kernel cache; nil for the user's.
  package var cacheFolder: String?
  package var usesCache = true
  /// Passes before which the module is printed to standard error.
  package var printBefore: [String] = []
  package var printsBeforeAll = false
  /// Passes after which the module is printed to standard error.
  package var printAfter: [String] = []
  package var printsAfterAll = false
  /// How the module is printed after passes that changed it; nil for not at all.
  package var printsChanges: ChangePrinter.Style?
  /// Whether the passes are listed before they run.
  package var printsPipeline = false
  /// The number of optional passes that run on a module; nil for all.
  package var bisectLimit: Int?
  /// A regular expression for the ids of remarks that are printed; nil for none.
  package var remarks: String?
  /// Whether the passes' counters are printed.
  package var printsStatistics = false
  /// A folder that receives the module after each pass, numbered.
  package var dumpFolder: String?
  package var timesPasses = false
  /// The most bytes of packed weights and other values computed at load that a step may read, by
  /// computing some anew; nil for any.
  package var loadBudget: Int?
  /// The most bytes of a step's values that should be in use at once, before fusion; nil for any.
  package var stepBudget: Int?
  /// Passes that are left out.
  package var disabledPasses: Set<String> = []
  /// Whether the module is verified after every pass.
  package var verifiesEach = false

  package init() {}
}

/// How much is done to make code fast, as `-O0` to `-O3`.
package enum OptimisationLevel: Int, CaseIterable, Hashable, Sendable {
  /// No optional pass, a kernel per op, LLVM as good as off.
  case none
  /// No optional pass; kernels are fused.
  case fused
  /// All passes, and those of LLVM that pay.
  case usual
  /// All passes, and all of LLVM's.
  case full
}

/// Which model, in which arithmetic.
package struct ModelOptions: Hashable, Sendable {
  /// A model folder; nil for the embedded model.
  package var path: String?
  /// The arithmetic; nil for bf16 where the processor has it, else f32.
  package var precision: Precision?
  package var adapters = AdapterOptions()

  package init(path: String? = nil, precision: Precision? = nil) {
    self.path = path
    self.precision = precision
  }
}

/// What `mosc sample` is asked for.
package struct SampleRequest: Hashable, Sendable {
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var prompt = ""
  package var negativePrompt = ""
  /// A file with one prompt per line in place of `prompt`; `-` for standard input.
  package var promptFile: String?
  package var steps = 20
  package var guidance = 7.0
  /// One seed per picture; a short list is continued by counting up.
  package var seeds: [UInt64] = [0]
  /// The picture size; nil for the size the model was trained at.
  package var width: Int?
  package var height: Int?
  package var sampler = "dpm++2m"
  /// The spacing of noise levels: `karras`, or nil for the sampler's own.
  package var schedule: String?
  /// How timesteps are placed: `linspace`, `leading`, `trailing`; nil for the model's own.
  package var timestepSpacing: String?
  package var batchCount = 1
  package var batchSize = 1
  /// The text-encoder layer to stop at, counted from the end as A1111 does; 1 is the last.
  package var clipSkip = 1
  package var output = "output.png"
  package var randomSource = "cpu"
  package var writesMetadata = true
  package var regions = RegionOptions()
  /// Condition images, each with its T2I-Adapter.
  package var conditions: [SpatialCondition] = []
  /// Whether sampling ends and boxes round as in the Mix-of-Show code.
  package var matchesMixOfShow = false
  /// A safetensors file whose `latents_init` replaces the random initial latents.
  package var latentsIn: String?
  /// A safetensors file that receives `latents_init`, `latents` and `timesteps`.
  package var trajectory: String?
  /// Whether the time of each kernel is shown.
  package var profiles = false

  package init() {}
}

extension SampleRequest {
  /// Reads seeds such as `7`, `1,2,5-8` or `-1` for a random one; nil for anything else.
  package static func seeds(_ text: String) -> [UInt64]? {
    // Other programs read seeds into 32 bits, so a random one must fit there.
    SeedList.parse(text) { UInt64(UInt32.random(in: 0...UInt32.max)) }
  }
}

/// What `mosc run` is asked for.
package struct RunRequest: Hashable, Sendable {
  /// `text_encoder`, `unet`, `vae_encoder`, `vae_decoder`, `t2i_adapter`, `train_step`, `fuse_layer`,
  /// `scheduler`, or a `.mos` file.
  package var target: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var input: String
  package var output: String
  /// The function of a `.mos` file; nil for its first.
  package var function: String?
  /// Whether the reference evaluator runs in place of compiled code.
  package var usesEvaluator = false
  /// The sampler of `scheduler`; nil for those that the file's cases name.
  package var sampler: String?
  package var schedule: String?
  package var steps: Int?
  /// The solver of `fuse_layer`; nil for the reference's.
  package var solver: String?

  package init(_ target: String, input: String, output: String) {
    self.target = target
    self.input = input
    self.output = output
  }
}

/// What `mosc bench` is asked for.
package struct BenchRequest: Hashable, Sendable {
  package var component: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var latentHeight = 64
  package var latentWidth = 64
  package var batch = 2
  package var runs = 5
  /// Regions of the U-Net, side by side.
  package var regions = 0
  package var printsJSON = false
  /// Whether the time of each kernel is shown.
  package var profiles = false
  /// An HTML file to walk through the program with these times; nil for none.
  package var explorer: String?

  package init(_ component: String) { self.component = component }
}

/// A stage of compilation whose text or code `mosc compile` prints.
package enum Emission: String, CaseIterable, Hashable, Sendable {
  case graph, kernels, buffers, llvm, llvmOptimized = "llvm-opt", assembly = "asm", object = "obj"
  case plan
  case explorer = "html"

  /// One line about the stage, for `--emit=help`.
  package var summary: String {
    switch self {
    case .graph: "the tensor graph, as the model describes it"
    case .kernels: "fused kernels and the functions that call them"
    case .buffers: "arena offsets and launches"
    case .llvm: "LLVM IR of the kernels, as generated"
    case .llvmOptimized: "LLVM IR of the kernels after optimisation"
    case .assembly: "assembly of the kernels"
    case .object: "object files of the kernels, into the folder given with -o"
    case .plan: "memory of weights, packed weights and the arena"
    case .explorer: "a page to walk through all of it in a browser"
    }
  }

  /// The stage of the module that is printed, for those that can be read back.
  package var stage: Stage? {
    switch self {
    case .graph: .tensor
    case .kernels: .kernel
    case .buffers: .buffer
    case .llvm, .llvmOptimized, .assembly, .object, .plan, .explorer: nil
    }
  }
}

/// What `mosc compile` is asked for.
package struct CompileRequest: Hashable, Sendable {
  /// A component name or a `.mos` file.
  package var target: String
  package var model = ModelOptions()
  package var compiler = CompilationOptions()
  package var latentHeight = 64
  package var latentWidth = 64
  package var batch = 2
  /// The regions of the U-Net, beside the picture's own prompt.
  package var regions = 0
  /// Whether every cross-attention layer has a prompt of its own.
  package var isLayerwise = false
  package var emission = Emission.graph
  /// The stage that a `.mos` file must be in; nil for any.
  package var from: Emission?
  /// Only kernels whose names contain this.
  package var kernelFilter: String?
  package var output = "-"

  package init(_ target: String) { self.target = target }
}

/// What `mosc opt` is asked for.
package struct OptRequest: Hashable, Sendable {
  /// A `.mos` file, `-` for standard input.
  package var input: String
  /// The passes, such as `canonicalise,fuse{max-ops=12}`; empty to only read and print.
  package var passes = ""
  package var compiler = CompilationOptions()
  package var output = "-"

  package init(_ input: String) { self.input = input }
}
