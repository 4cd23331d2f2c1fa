/// The options of Mix-of-Show's scripts for fusing and drawing.
extension ForeignOptions {
  /// `gradient_fusion.py`.
  static let fusing: [ForeignOption] = [
    ForeignOption(.mixOfShow, "concept_cfg", .one, .translated("the configuration as an argument", {
      .init([$0[0]])
    })),
    ForeignOption(.mixOfShow, "pretrained_models", .one, .alias("--model")),
    ForeignOption(.mixOfShow, "pretrained_model", .one, .alias("--model")),
    ForeignOption(
      .mixOfShow, "save_path", .one,
      .part("--full-model save_path/combined_model_suffix, and the concept file beside it")),
    ForeignOption(.mixOfShow, "suffix", .one, .part("the end of the names in save_path (base)")),
    ForeignOption(.mixOfShow, "optimize_textenc_iters", .one, .alias("--textenc-iters")),
    ForeignOption(.mixOfShow, "optimize_unet_iters", .one, .alias("--unet-iters")),
  ]

  /// `regionally_controlable_sampling.py`, and kohya's `gen_img.py` as far as it begins with pictures.
  static let sampling: [ForeignOption] = [
    ForeignOption(.mixOfShow, "pretrained_model", .one, .alias("--model")),
    ForeignOption(.mixOfShow, "negative_prompt", .one, .alias("--negative-prompt")),
    ForeignOption(.mixOfShow, "prompt_rewrite", .one, .alias("--prompt-rewrite")),
    ForeignOption(.mixOfShow, "keypose_condition", .one, .part(condition)),
    ForeignOption(.mixOfShow, "keypose_adaptor_weight", .one, .part("--t2i-strength")),
    ForeignOption(.mixOfShow, "region_keypose_adaptor_weight", .one, .part("--t2i-region")),
    ForeignOption(.mixOfShow, "sketch_condition", .one, .part(condition)),
    ForeignOption(.mixOfShow, "sketch_adaptor_weight", .one, .part("--t2i-strength")),
    ForeignOption(.mixOfShow, "region_sketch_adaptor_weight", .one, .part("--t2i-region")),
    ForeignOption(
      .mixOfShow, "save_dir", .one,
      .part("--output save_dir/seed_SEED/PROMPT---suffix.png")),
    ForeignOption(.mixOfShow, "suffix", .one, .part("the end of the name in save_dir")),
    ForeignOption(.kohya, "image_path", .one, .alias("--init-img")),
    ForeignOption(.kohya, "mask_path", .one, .alias("--mask")),
  ]

  private static let condition =
    "--t2i-image; give the adapters' files with --t2i-adapter, that of poses first"
}
