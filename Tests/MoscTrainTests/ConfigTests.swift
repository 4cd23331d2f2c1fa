import Foundation
import MoscFormats
import MoscFuzz
import MoscImages
import MoscRandom
import MoscTrain
import TestSupport
import Testing

/// Configurations of Mix-of-Show and kohya, and what is wrong with bad ones.
@Suite struct ConfigTests {
  /// A configuration as the reference ships them.
  static let options = """
    name: 8101_EDLoRA_potter_Cmix_B4_Repeat500
    manual_seed: 7
    mixed_precision: fp16
    gradient_accumulation_steps: 1

    datasets:
      train:
        name: LoraDataset
        concept_list: data/potter.json
        use_caption: true
        use_mask: true
        instance_transform:
          - { type: HumanResizeCropFinalV3, size: 512, crop_p: 0.5 }
          - { type: ToTensor }
          - { type: Normalize, mean: [ 0.5 ], std: [ 0.5 ] }
          - { type: ShuffleCaption, keep_token_num: 1 }
          - { type: EnhanceText, enhance_type: human }
        replace_mapping:
          <TOK>: <potter1> <potter2>
        batch_size_per_gpu: 2
        dataset_enlarge_ratio: 500
      val_vis:
        name: PromptDataset
        prompts: prompts.txt
        num_samples_per_prompt: 8
        latent_size: [ 4,64,64 ]
        replace_mapping:
          <TOK>: <potter1> <potter2>
        batch_size_per_gpu: 4

    models:
      pretrained_path: models/chilloutmix
      enable_edlora: true  # true means ED-LoRA
      finetune_cfg:
        text_embedding:
          enable_tuning: true
          lr: !!float 1e-3
        text_encoder:
          enable_tuning: true
          lora_cfg:
            rank: 4
            alpha: 1.0
            where: CLIPAttention
          lr: !!float 1e-5
        unet:
          enable_tuning: true
          lora_cfg:
            rank: 4
            alpha: 1.0
            where: Attention
          lr: !!float 1e-4
      new_concept_token: <potter1>+<potter2>
      initializer_token: <rand-0.013>+man
      noise_offset: 0.01
      attn_reg_weight: 0.01
      reg_full_identity: false
      use_mask_loss: true
      gradient_checkpoint: false
      enable_xformers: true

    path:
      pretrain_network: ~

    train:
      optim_g:
        type: AdamW
        lr: !!float 0.0
        weight_decay: 0.01
        betas: [ 0.9, 0.999 ]
      unet_kv_drop_rate: 0
      scheduler: linear
      emb_norm_threshold: !!float 5.5e-1

    val:
      val_during_save: true
      compose_visualize: true
      alpha_list: [0, 0.7, 1.0]
      sample:
        num_inference_steps: 50
        guidance_scale: 7.5

    logger:
      print_freq: 10
      save_checkpoint_freq: !!float 10000
    """

  /// A dataset of two pictures in a folder, one with a caption, both with masks.
  private func folder(_ options: String = Self.options) throws -> (Scratch, URL) {
    let scratch = Scratch()
    for name in ["b", "a"] {
      try scratch.picture("data/images/\(name).png")
      try scratch.picture("data/masks/\(name).png", channels: 1, value: 255)
    }
    try scratch.write("data/captions/b.txt", "  <TOK>,  at   school \nsecond line\n")
    try scratch.write(
      "data/potter.json",
      """
      [{"instance_prompt": "<TOK>", "instance_data_dir": "data/images",
        "caption_dir": "data/captions", "mask_dir": "data/masks"}]
      """)
    try scratch.write("prompts.txt", "a <TOK>\n\n<TOK> on the beach\n")
    return (scratch, try scratch.write("options/train/potter.yml", options))
  }

  @Test func readsTheReference() throws {
    let (scratch, url) = try folder()
    let setup = try MixOfShowConfig.read(url)
    #expect(setup.name == "8101_EDLoRA_potter_Cmix_B4_Repeat500" && setup.seed == 7)
    let images = setup.dataset.images
    #expect(images.map(\.image.lastPathComponent) == ["a.png", "b.png"])
    #expect(images.map(\.caption) == ["<potter1> <potter2>", "<potter1> <potter2>, at school"])
    #expect(images.allSatisfy { $0.mask != nil })
    #expect(
      setup.dataset.transforms == [
        [
          .placeHuman(size: 512, cropChance: 0.5), .toTensor,
          .normalize(mean: [0.5], deviation: [0.5]), .shuffleCaption(keep: 1),
          .enhanceText(.human),
        ]
      ])
    #expect(setup.dataset.count == 1000 && setup.dataset.batchSize == 2 && setup.steps == 500)
    let model = setup.model
    #expect(model.path == "models/chilloutmix" && model.isLayerwise)
    #expect(
      model.words == [
        TrainedWord("<potter1>", .random(deviation: 0.013)), TrainedWord("<potter2>", .word("man")),
      ])
    #expect(model.embedding == TuningSettings(learningRate: 1e-3))
    #expect(model.textEncoder == LoRASettings(learningRate: 1e-5, layers: .attention))
    #expect(model.unet == LoRASettings(learningRate: 1e-4, layers: .attention))
    #expect(model.noiseOffset == 0.01 && model.attentionWeight == 0.01)
    #expect(!model.regularisesFullIdentity && model.usesMaskLoss && !model.checkpointsGradients)
    #expect(setup.optimiser == OptimiserSettings())
    #expect(
      setup.validation.prompts == ["a <potter1> <potter2>", "<potter1> <potter2> on the beach"])
    #expect(setup.validation.alphas == [0, 0.7, 1] && setup.validation.guidance == 7.5)
    #expect(setup.printInterval == 10 && setup.saveInterval == 10_000)
    // Everything without effect is said.
    for key in [
      "mixed_precision", "scheduler", "unet_kv_drop_rate", "enable_xformers", "optim_g.lr",
    ] {
      #expect(setup.notes.contains { $0.contains(key) }, "\(key)")
    }
    #expect(setup.problems().isEmpty)
    withExtendedLifetime(scratch) {}
  }

  /// All problems at once, with line, key and the nearest name.
  @Test func reportsEveryProblem() throws {
    let changes = [
      ("crop_p: 0.5", "crop_q: 0.5"), ("ToTensor", "ToTensr"),
      ("reg_full_identity", "reg_ful_identity"),
      ("num_inference_steps: 50", "num_inference_steps: many"), ("rank: 4", "rank: 0"),
      ("<rand-0.013>+man", "man"), ("where: Attention", "where: Resnet"),
      ("use_mask: true", "use_mask: maybe"), ("latent_size: [ 4,64,64 ]", "latent_size: 64"),
      ("type: AdamW", "type: Adam"), ("enhance_type: human", "enhance_type: cat"),
    ]
    var text = Self.options
    for (from, to) in changes { text = text.replacingOccurrences(of: from, with: to) }
    let (scratch, url) = try folder(text)
    let found = problems { () throws(DatasetError) in try MixOfShowConfig.read(url) }
    let place = "\(scratch.url.path)/options/train/potter.yml: line "
    #expect(found.allSatisfy { $0.hasPrefix(place) })
    for expected in [
      "line 13, 'datasets.train.instance_transform[0].crop_q': unknown key; the nearest known "
        + "key is 'crop_p'",
      "unknown transform 'ToTensr'; the nearest is 'ToTensor'",
      "'models.reg_ful_identity': unknown key; the nearest known key is 'reg_full_identity'",
      "'val.sample.num_inference_steps': expected a whole number", "rank': expected a whole number",
      "starts 1 words, but there are 2", "'Resnet' is unknown, expected 'Attention'",
      "use_mask': expected true or false, found 'maybe'", "expected channels, height and width",
      "'Adam' is not supported", "'cat' is unknown",
    ] {
      #expect(found.contains { $0.contains(expected) }, "\(expected) in \(found)")
    }
    // `rank: 4` occurs twice.
    #expect(found.count == changes.count + 1, "\(found)")
  }

  @Test func reportsBadFiles() throws {
    let (scratch, url) = try folder()
    try scratch.write("data/images/c.png", "no picture")
    try scratch.picture("data/masks/c.png")
    try scratch.write("data/captions/d.txt", "an orphan")
    try scratch.write("data/images/.DS_Store", "x")
    let names = problems { () throws(DatasetError) in try MixOfShowConfig.read(url) }
    #expect(names.count == 1 && names[0].contains("d.txt: the caption has no picture"))
    try FileManager.default.removeItem(at: scratch.url.appending(path: "data/captions/d.txt"))
    try scratch.picture("data/masks/a.png", width: 8, height: 8, channels: 1, value: 255)
    try scratch.picture("data/masks/b.png", channels: 1, value: 0)
    let found = try MixOfShowConfig.read(url).problems().map(\.description)
    #expect(found.count == 4, "\(found)")
    #expect(found.contains { $0.contains("c.png: its brightest pixel is 90 of 255") })
    #expect(found.contains { $0.contains("c.png: is neither PNG, JPEG nor WebP") })
    #expect(found.contains { $0.contains("a.png: the mask has 8x8 pixels") })
    #expect(found.contains { $0.contains("b.png: the mask is black") })
    try FileManager.default.removeItem(at: scratch.url.appending(path: "data/masks"))
    let missing = problems { () throws(DatasetError) in try MixOfShowConfig.read(url) }
    #expect(missing.count == 3 && missing.allSatisfy { $0.contains("is missing") })
    try FileManager.default.removeItem(at: scratch.url.appending(path: "data/images"))
    let empty = problems { () throws(DatasetError) in try MixOfShowConfig.read(url) }
    #expect(empty.contains { $0.contains("data/images: there is no such folder") })
    #expect(
      problems { () throws(DatasetError) in
        try MixOfShowConfig.read(scratch.url.appending(path: "no.yml"))
      }.first?.contains("there is no such file") == true)
  }

  @Test(arguments: [
    "a: [1, 2", "a: 1\na: 2", "- 1\n- 2", "a: *b", "\t- x: [", "&a [*a]", "{[1]: 2}",
    String(repeating: "[", count: 5000),
  ])
  func badYAML(text: String) throws {
    let scratch = Scratch()
    let url = try scratch.write("x.yml", text)
    let found = problems { () throws(DatasetError) in try MixOfShowConfig.read(url) }
    #expect(!found.isEmpty && found[0].hasPrefix(url.path))
  }

  /// Aliases of aliases are refused before they fill the memory.
  @Test func aliasBomb() throws {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in 1...9 {
      let items = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      text += "a\(level): &a\(level) [\(items)]\n"
    }
    let error = #expect(throws: FormatError.self) { try ConfigNode.yaml(text, path: "bomb.yml") }
    #expect(error?.message.contains("too large") == true)
  }

  // MARK: kohya

  static let kohya = """
    # a dataset of sd-scripts
    [general]
    shuffle_caption = true
    caption_extension = '.txt'
    keep_tokens = 1
    enable_bucket = true

    [[datasets]]
    resolution = [64, 48]
    batch_size = 4

      [[datasets.subsets]]
      image_dir = 'one'
      class_tokens = "sks cat"
      num_repeats = 3

      [[datasets.subsets]]
      image_dir = "two"
      random_crop = true
      flip_aug = true
      conditioning_data_dir = "masks"
    """

  @Test func readsKohya() throws {
    let scratch = Scratch()
    try scratch.picture("one/a.png")
    try scratch.picture("one/b.png")
    try scratch.write("one/b.txt", "sks cat, sleeping")
    try scratch.picture("two/c.png", width: 100, height: 100)
    try scratch.write("two/c.txt", "a dog")
    try scratch.picture("masks/c.png", width: 100, height: 100, channels: 1, value: 255)
    let setup = try KohyaConfig.read(try scratch.write("set.toml", Self.kohya))
    let dataset = setup.dataset
    #expect(dataset.images.map(\.image.lastPathComponent) == [
      "a.png", "a.png", "a.png", "b.png", "b.png", "b.png", "c.png",
    ])
    #expect(dataset.images.map(\.transforms) == [0, 0, 0, 0, 0, 0, 1])
    #expect(dataset.images[0].caption == "sks cat")
    #expect(dataset.images[3].caption == "sks cat, sleeping")
    #expect(dataset.batchSize == 4)
    #expect(dataset.transforms[0].contains(.centerCrop(height: 48, width: 64)))
    #expect(dataset.transforms[0].contains(.shuffleCaption(keep: 1)))
    #expect(dataset.transforms[1].contains(.randomCrop(height: 48, width: 64, isPaired: false)))
    #expect(setup.notes.contains { $0.contains("enable_bucket") })
    #expect(setup.problems().isEmpty)
    var random = TransformRandom(seed: 0)
    let sample = try dataset.sample(6, &random)
    #expect(sample.width == 64 && sample.height == 48 && sample.mask?.count == 48)
    #expect(sample.mask?.allSatisfy { $0 == 1 } == true && sample.caption == "a dog")
    #expect(sample.image.allSatisfy { abs($0 - (90.0 / 255 - 0.5) / 0.5) < 1e-6 })
  }

  @Test func kohyaProblems() throws {
    let scratch = Scratch()
    try scratch.picture("one/a.png")
    let text = Self.kohya.replacingOccurrences(of: "num_repeats", with: "num_repeat")
      .replacingOccurrences(of: "flip_aug = true", with: "color_aug = true")
      .replacingOccurrences(of: "batch_size = 4", with: "batch_size = 0")
    let url = try scratch.write("set.toml", text)
    let found = problems { () throws(DatasetError) in try KohyaConfig.read(url) }
    #expect(found.count == 4, "\(found)")
    for expected in ["line 15, 'datasets[0].subsets[0].num_repeat': unknown key; the nearest known",
      "color_aug': true is not supported", "batch_size': expected", "two: there is no such folder",
    ] {
      #expect(found.contains { $0.contains(expected) }, "\(expected) in \(found)")
    }
  }

  @Test func namedFolders() throws {
    let scratch = Scratch()
    try scratch.picture("3_sks cat/x.png")
    try scratch.picture("1_dog/y.png")
    try scratch.write("1_dog/y.txt", "a dog, running")
    try scratch.picture("rest/z.png")
    let setup = try KohyaConfig.folders(scratch.url, resolution: 64)
    #expect(setup.dataset.images.map(\.caption) == [
      "a dog, running", "sks cat", "sks cat", "sks cat",
    ])
    #expect(setup.notes.count == 1 && setup.notes[0].contains("rest"))
    let empty = Scratch()
    #expect(
      problems { () throws(DatasetError) in try KohyaConfig.folders(empty.url) }.first?
        .contains("10_cat") == true)
  }

  @Test func toml() throws {
    let text = #"""
      title = "a \"b\" \u00e9\n"
      path = 'C:\dir'
      numbers = [1, -2.5e3, 0x1F, 1_000, # comment
        true]
      "quoted key".inner = { x = 1, y.z = 'w' }
      [a.b]
      c = false
      [[a.list]]
      n = 1
      [[a.list]]
      n = 2
      [a.list.deep]
      m = """
      two
      lines"""
      """#
    let root = try TOMLReader.parse(text, path: "x.toml")
    #expect(root["title"]?.value == .string("a \"b\" é\n"))
    #expect(root["path"]?.value == .string("C:\\dir"))
    #expect(
      root["numbers"]?.elements?.map(\.value) == [
        .int(1), .double(-2500), .int(31), .int(1000), .bool(true),
      ])
    #expect(root["quoted key"]?["inner"]?["y"]?["z"]?.value == .string("w"))
    #expect(root["a"]?["b"]?["c"]?.value == .bool(false) && root["a"]?["b"]?["c"]?.line == 7)
    let list = root["a"]?["list"]?.elements
    #expect(list?.map { $0["n"]?.value } == [.int(1), .int(2)])
    #expect(list?[1]["deep"]?["m"]?.value == .string("two\nlines"))
    for (bad, line) in [
      ("a = ", 1), ("a = 1\na = 2", 2), ("[a]\n[a", 2), ("a = 'x", 1), ("a = b", 1), ("x\n", 1),
      ("a = 1 2", 1), ("a = [1\n", 2), ("a = 1\n[a]\nb = 1", 2), ("a = \"\\q\"", 1), ("a = {", 1),
      ("a = \(String(repeating: "[", count: 500))", 1), ("[[a]]\n[a]", 2),
      ("[[a]]\n[a.b]\nc=1\nc=2", 4),
    ] {
      let error = #expect(throws: FormatError.self, "\(bad)") {
        try TOMLReader.parse(bad, path: "x.toml")
      }
      #expect(error?.place == "line \(line)", "\(bad): \(String(describing: error))")
    }
  }

  /// Damaged configurations are read or refused, never the end of the program.
  @Test(arguments: ["yml", "toml"])
  func damagedConfigurations(kind: String) throws {
    let scratch = Scratch()
    let sound = Array((kind == "yml" ? Self.options : Self.kohya).utf8)
    let pieces = [
      "[", "{", ": ", "\n", "\"", "'", "- ", "#", "&a", "*a", "-1", "1e999", "\t", "=", ".",
    ]
    var numbers = SeededNumbers(21)
    func draw(_ count: Int) -> Int { numbers.below(count) }
    var refused = 0
    for _ in 0..<300 {
      var bytes = sound
      for _ in 0...draw(3) {
        let place = draw(bytes.count)
        if draw(2) == 0 {
          bytes.replaceSubrange(place..<place, with: Array(pieces[draw(pieces.count)].utf8))
        } else {
          bytes.removeSubrange(place..<min(bytes.count, place + 1 + draw(40)))
        }
      }
      let url = try scratch.write("x.\(kind)", Data(bytes))
      let found = problems { () throws(DatasetError) in try TrainingSetup.read(url) }
      refused += found.isEmpty ? 0 : 1
    }
    // None of the folders that they name exists.
    #expect(refused == 300)
  }

  // MARK: plain flags

  @Test func plainFolder() throws {
    let scratch = Scratch()
    try scratch.picture("a.png")
    try scratch.picture("b.png")
    try scratch.write("b.txt", "a <TOK> in the snow")
    try scratch.picture("c.png")
    try scratch.write("c.txt", "at night")
    var folder = FolderSetup(folder: scratch.url, concept: "<a1> <a2>", start: "cat")
    folder.size = 64
    let setup = try folder.read()
    #expect(setup.dataset.images.map(\.caption) == [
      "<a1> <a2>", "a <a1> <a2> in the snow", "<a1> <a2>, at night",
    ])
    #expect(setup.model.words == [
      TrainedWord("<a1>", .random(deviation: 0.013)), TrainedWord("<a2>", .word("cat")),
    ])
    #expect(setup.problems().isEmpty)
    #expect(DataTransform.outputSize(setup.dataset.transforms[0])?.width == 64)
    let empty = Scratch()
    folder.folder = empty.url
    let found = problems { () throws(DatasetError) in try folder.read() }
    #expect(found.count == 1 && found[0].contains("the folder holds no pictures"))
  }

  @Test func conceptWords() throws {
    #expect(
      try TrainedWord.parse(words: "<a>+<b>", starts: nil, path: "x").map(\.start)
        == [.random(deviation: 0.017), .random(deviation: 0.017)])
    for (words, starts) in [
      ("<a>+<b>", "cat"), ("<a>+<a>", nil), ("", nil), ("<a>", "<rand-x>"), ("<a>", "<rand>"),
      ("<a>", "<rand-nan>"),
    ] {
      #expect(throws: FormatError.self, "\(words)") {
        try TrainedWord.parse(words: words, starts: starts, path: "x")
      }
    }
    let tokenizer = try CLIPTokenizer(folder: Goldens.url("mix-of-show/base/tokenizer"))
    let good = try TrainedWord.parse(words: "<a1> <a2>", starts: "<rand-0.1>+cat", path: "x")
    #expect(TrainedWord.problems(good, tokenizer, path: "x").isEmpty)
    let bad = [TrainedWord("cat", .word("extraordinarily weird"))]
    let found = TrainedWord.problems(bad, tokenizer, path: "x").map(\.description)
    #expect(found.count == 2 && found[0].contains("is an ordinary word"))
    #expect(found[1].contains("expected a word that is one token"))
    #expect(TrainedWord.bind("a <a1> <a2>", good, layer: 3) == "a <new3> <new19>")
  }
}
