import MoscDiffusion
import MoscFormats
import Testing

/// Spellings of samplers, seeds, and scheduler configurations.
@Suite struct SettingsTests {
  @Test(arguments: [
    (SamplerName.ddim, ["DDIMScheduler", "DDIM", "ddim", "ddim_trailing"]),
    (.pndm, ["PNDMScheduler", "PLMS", "plms"]),
    (.euler, ["EulerDiscreteScheduler", "Euler", "sample_euler", "k_euler", "euler"]),
    (
      .eulerAncestral,
      [
        "EulerAncestralDiscreteScheduler", "Euler a", "euler_ancestral", "sample_euler_ancestral",
        "k_euler_a", "euler_a",
      ]
    ),
    (.heun, ["HeunDiscreteScheduler", "Heun", "heun", "k_heun"]),
    (.lms, ["LMSDiscreteScheduler", "LMS", "lms", "k_lms"]),
    (
      .dpmpp2M,
      ["DPMSolverMultistepScheduler", "DPM++ 2M", "dpmpp_2m", "sample_dpmpp_2m", "dpm++2m"]
    ),
    (.dpmpp2MSDE, ["DPM++ 2M SDE", "dpmpp_2m_sde", "dpmpp_2m_sde_gpu"]),
    (.uniPC, ["UniPCMultistepScheduler", "UniPC", "uni_pc", "uni_pc_bh2"]),
    (.lcm, ["LCMScheduler", "LCM", "lcm"]),
    (.ddpm, ["DDPMScheduler", "DDPM", "ddpm"]),
    (.dpmpp2SAncestral, ["DPM++ 2S a", "dpmpp_2s_ancestral", "sample_dpmpp_2s_ancestral", "dpm++2s_a"]),
    (.dpmppSDE, ["DPM++ SDE", "dpmpp_sde", "dpmpp_sde_gpu", "sample_dpmpp_sde", "DPMSolverSDEScheduler"]),
    (.dpmpp3MSDE, ["DPM++ 3M SDE", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "sample_dpmpp_3m_sde"]),
    (.dpm2, ["DPM2", "dpm2", "dpm_2", "sample_dpm_2", "k_dpm_2", "KDPM2DiscreteScheduler"]),
    (
      .dpm2Ancestral,
      ["DPM2 a", "dpm_2_ancestral", "k_dpm_2_a", "sample_dpm_2_ancestral", "KDPM2AncestralDiscreteScheduler"]
    ),
    (.deis, ["DEIS", "deis", "DEISMultistepScheduler"]),
    (.ipndm, ["IPNDM", "ipndm", "IPNDMScheduler"]), (.restart, ["Restart", "restart"]),
    (.tcd, ["TCD", "tcd", "TCDScheduler"]),
  ])
  func spellings(_ sampler: SamplerName, _ texts: [String]) {
    #expect(texts.contains(where: { $0 == sampler.rawValue }) || sampler == .pndm)
    for text in texts { #expect(SamplerName.Choice(spelling: text)?.sampler == sampler, "\(text)") }
  }

  @Test func spellingsThatSayMore() {
    let karras = SamplerName.Choice(spelling: "DPM++ 2M Karras")
    #expect(karras?.sampler == .dpmpp2M && karras?.levels == .karras && karras?.spacing == nil)
    #expect(SamplerName.Choice(spelling: "dpmpp_2m_sde_exponential")?.levels == .exponential)
    #expect(karras?.description == "DPM++ 2M Karras")
    #expect(SamplerName.Choice(spelling: "ddim_trailing")?.spacing == .trailing)
    #expect(SamplerName.Choice(spelling: "Euler Karras") == .init(.euler, levels: .karras))
    #expect(SamplerName.Choice(spelling: "Euler sgm_uniform") == .init(.euler, levels: .sgmUniform))
    #expect(SamplerName.Choice(spelling: "DPM++ 2M polyexponential")?.levels == .polyexponential)
    #expect(SamplerName.Choice(spelling: "DPM++ 3M SDE Align Your Steps")?.levels == .alignYourSteps)
    for bad in ["", "euler b", "karras", "dpm++ 4m"] { #expect(SamplerName.Choice(spelling: bad) == nil) }
    var config = SchedulerConfig()
    SamplerName.Choice(spelling: "lms karras")?.apply(to: &config)
    #expect(config.levels == .karras)
  }

  @Test func spellingsOfNoiseLevels() {
    #expect(SchedulerConfig.Levels(spelling: "Karras") == .karras)
    for text in ["default", "Automatic", "discrete"] {
      #expect(SchedulerConfig.Levels(spelling: text) == .timesteps)
    }
    for level in SchedulerConfig.Levels.allCases {
      #expect(SchedulerConfig.Levels(spelling: level.rawValue) == level)
      if let title = level.title { #expect(SchedulerConfig.Levels(spelling: title) == level) }
    }
    for (text, level) in [
      ("normal", SchedulerConfig.Levels.normal), ("Uniform", .normal), ("ays", .alignYourSteps), ("ddim", .ddim),
      ("SGMUniform", .sgmUniform),
    ] {
      #expect(SchedulerConfig.Levels(spelling: text) == level)
    }
    #expect(SchedulerConfig.Levels(spelling: "gamma") == nil)
  }

  @Test func seedLists() {
    #expect(SeedList(spelling: "1,2,5-8")?.seeds { 0 } == [1, 2, 5, 6, 7, 8])
    #expect(SeedList(spelling: " 3, 4")?.seeds { 0 } == [3, 4])
    #expect(SeedList(spelling: "-1")?.seeds { 77 } == [77])
    #expect(SeedList(spelling: "18446744073709551615")?.seeds { 0 } == [.max])
    for bad in ["", "a", "5-2", "1,,2", "1-99999999", "1-", "-", "18446744073709551616"] {
      #expect(SeedList(spelling: bad) == nil, "\(bad)")
    }
  }

  private func read(_ text: String) throws -> SchedulerConfig {
    let members = try #require(try JSONValue.parse(Array(text.utf8), path: "c.json").members)
    return try SchedulerConfig(JSONObject(path: "c.json", members: members))
  }

  @Test func readsWhatDiffusersWrites() throws {
    let config = try read(
      """
      {"_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity,
       "beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012,
       "timestep_spacing": "leading", "steps_offset": 1, "trained_betas": null,
       "variance_type": null, "thresholding": false, "use_karras_sigmas": true,
       "algorithm_type": "sde-dpmsolver++", "solver_type": "heun", "solver_order": 3,
       "final_sigmas_type": "sigma_min"}
      """)
    #expect(config.spacing == .leading && config.levels == .karras && config.solverOrder == 3)
    #expect(config.algorithm == .stochastic && config.solverType == .heun)
    #expect(config.finalLevel == .smallest && config.betaEnd == 0.012)
    let given = try read(#"{"trained_betas": [0.1, 0.2]}"#)
    #expect(given.trainSteps == 2)
    for (a, b) in zip(given.alphasCumprod, [0.9, 0.72]) { #expect(abs(Double(a) - b) < 1e-7) }
    // The cosine schedule is nearly no signal at its end.
    let cosine = try read(#"{"beta_schedule": "squaredcos_cap_v2"}"#).alphasCumprod
    #expect(cosine[0] > 0.999 && cosine[999] < 1e-8 && cosine[499] > 0.4 && cosine[499] < 0.6)
  }

  @Test(arguments: [
    (#"{"prediction_type": "flow"}"#, "prediction_type"),
    (#"{"beta_schedule": "sigmoid"}"#, "beta_schedule"),
    (#"{"num_train_timesteps": 1}"#, "num_train_timesteps"),
    (#"{"solver_order": 4}"#, "solver_order"), (#"{"steps_offset": -1}"#, "steps_offset"),
    (#"{"beta_start": 0.5, "beta_end": 0.1}"#, "beta_end"),
    (#"{"thresholding": true}"#, "thresholding"), (#"{"trained_betas": [2]}"#, "trained_betas"),
    (#"{"algorithm_type": "dpmsolver"}"#, "algorithm_type"),
    (#"{"final_sigmas_type": "one", "solver_type": "bh1"}"#, "final_sigmas_type"),
  ])
  func refusesWhatItCannotDo(_ text: String, _ key: String) {
    do {
      try read(text).check(for: .dpmpp2M)
      Issue.record("read \(text)")
    } catch {
      #expect("\(error)".contains(key))
    }
  }

  /// What a sampler does not read is no reason to refuse it.
  @Test(arguments: [
    (#"{"algorithm_type": "dpmsolver"}"#, [SamplerName.euler, .ddim, .uniPC], [SamplerName.dpmpp2M]),
    (#"{"use_lu_lambdas": true}"#, [.euler, .uniPC, .ddpm], [.dpmpp2MSDE]),
    (#"{"thresholding": true}"#, [.euler, .heun, .lms, .pndm], [.ddim, .uniPC]),
    (#"{"variance_type": "learned"}"#, [.dpmpp2M, .ddim], [.ddpm]),
    (#"{"final_sigmas_type": "one"}"#, [.ddim, .lms], [.euler, .uniPC]),
    (#"{"original_inference_steps": 0}"#, [.pndm], [.lcm]),
    (#"{"algorithm_type": "deis", "solver_type": "logrho"}"#, [.dpmpp2M, .euler], []),
  ])
  func refusesOnlyWhatIsRead(_ text: String, _ others: [SamplerName], _ readers: [SamplerName]) throws {
    let config = try read(text)
    for sampler in others { try config.check(for: sampler) }
    for sampler in readers {
      #expect(throws: FormatError.self, "\(sampler)") { try config.check(for: sampler) }
    }
  }

  /// Every sampler ends in numbers with any number of steps, or says before the start that it would not.
  @Test(arguments: SamplerName.allCases) func anyNumberOfSteps(_ sampler: SamplerName) {
    var refused = 0
    for trainSteps in [2, 3, 10, 1000] {
      for spacing in SchedulerConfig.Spacing.allCases {
        for levels in SchedulerConfig.Levels.allCases {
          for (offset, end) in [(0, SchedulerConfig.FinalLevel.zero), (1, .smallest)] {
            var config = SchedulerConfig()
            (config.trainSteps, config.spacing, config.levels) = (trainSteps, spacing, levels)
            (config.stepsOffset, config.finalLevel) = (offset, end)
            config.solverOrder = 3
            // Long runs with one schedule of each kind.
            let isLong = [.timesteps, .karras, .simple].contains(levels)
            for steps in [1, 2, 3, 4, 5, 7, 10] + (isLong ? [333, 998, 999, 1000, 1001] : []) {
              if sampler.obstacle(config, steps: steps) != nil {
                refused += 1
                continue
              }
              #expect(steps <= trainSteps)
              var scheduler = sampler.scheduler(config, steps: steps)
              var sample: [Float] = [scheduler.initialNoiseScale, -0.5]
              for step in scheduler.timesteps.indices {
                sample = scheduler.advance(sample, modelOutput: [0.2, -0.1], step: step) { [0.3, 0.4] }
              }
              let isSound = sample.allSatisfy { $0.isFinite }
              #expect(
                isSound, "\(steps) of \(trainSteps), \(spacing), \(levels)")
            }
          }
        }
      }
    }
    // More steps than levels at least.
    #expect(refused > 0)
  }

  @Test func saysWhichStepsCannotBe() {
    var config = SchedulerConfig()
    (config.spacing, config.stepsOffset) = (.leading, 1)
    #expect(SamplerName.dpmpp2M.obstacle(config, steps: 999)?.contains("leading") == true)
    #expect(SamplerName.dpmpp2M.obstacle(config, steps: 500) == nil)
    #expect(SamplerName.uniPC.obstacle(config, steps: 1001)?.contains("1000 noise levels") == true)
  }
}
