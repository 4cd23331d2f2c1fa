/// Capital letters, digits and signs of 5×7 pixels, for words on sheets of pictures.
///
/// Small letters are drawn as capitals, and what the font does not have as a box.
package enum PixelFont {
  /// Pixels from one character to the next, and the height of a character.
  package static let advance = 6
  package static let height = 7

  /// Seven rows of a character from the top; the highest of five bits is the leftmost pixel.
  static func rows(_ character: Character) -> [UInt8] {
    glyphs[Character(character.uppercased())] ?? box
  }

  private static let box: [UInt8] = [31, 17, 17, 17, 17, 17, 31]

  private static let glyphs: [Character: [UInt8]] = [
    " ": [0, 0, 0, 0, 0, 0, 0],
    "A": [14, 17, 17, 31, 17, 17, 17], "B": [30, 17, 17, 30, 17, 17, 30],
    "C": [14, 17, 16, 16, 16, 17, 14], "D": [30, 17, 17, 17, 17, 17, 30],
    "E": [31, 16, 16, 30, 16, 16, 31], "F": [31, 16, 16, 30, 16, 16, 16],
    "G": [14, 17, 16, 23, 17, 17, 14], "H": [17, 17, 17, 31, 17, 17, 17],
    "I": [14, 4, 4, 4, 4, 4, 14], "J": [7, 2, 2, 2, 2, 18, 12],
    "K": [17, 18, 20, 24, 20, 18, 17], "L": [16, 16, 16, 16, 16, 16, 31],
    "M": [17, 27, 21, 21, 17, 17, 17], "N": [17, 25, 21, 19, 17, 17, 17],
    "O": [14, 17, 17, 17, 17, 17, 14], "P": [30, 17, 17, 30, 16, 16, 16],
    "Q": [14, 17, 17, 17, 21, 18, 13], "R": [30, 17, 17, 30, 20, 18, 17],
    "S": [15, 16, 16, 14, 1, 1, 30], "T": [31, 4, 4, 4, 4, 4, 4],
    "U": [17, 17, 17, 17, 17, 17, 14], "V": [17, 17, 17, 17, 17, 10, 4],
    "W": [17, 17, 17, 21, 21, 21, 10], "X": [17, 17, 10, 4, 10, 17, 17],
    "Y": [17, 17, 10, 4, 4, 4, 4], "Z": [31, 1, 2, 4, 8, 16, 31],
    "0": [14, 17, 19, 21, 25, 17, 14], "1": [4, 12, 4, 4, 4, 4, 14],
    "2": [14, 17, 1, 6, 8, 16, 31], "3": [14, 17, 1, 6, 1, 17, 14],
    "4": [2, 6, 10, 18, 31, 2, 2], "5": [31, 16, 30, 1, 1, 17, 14],
    "6": [6, 8, 16, 30, 17, 17, 14], "7": [31, 1, 2, 4, 8, 8, 8],
    "8": [14, 17, 17, 14, 17, 17, 14], "9": [14, 17, 17, 15, 1, 2, 12],
    ".": [0, 0, 0, 0, 0, 12, 12], ",": [0, 0, 0, 0, 12, 4, 8], ":": [0, 12, 12, 0, 12, 12, 0],
    ";": [0, 12, 12, 0, 12, 4, 8], "!": [4, 4, 4, 4, 4, 0, 4], "?": [14, 17, 1, 2, 4, 0, 4],
    "'": [4, 4, 8, 0, 0, 0, 0], "\"": [10, 10, 0, 0, 0, 0, 0], "-": [0, 0, 0, 31, 0, 0, 0],
    "+": [0, 4, 4, 31, 4, 4, 0], "=": [0, 0, 31, 0, 31, 0, 0], "*": [0, 4, 21, 14, 21, 4, 0],
    "/": [0, 1, 2, 4, 8, 16, 0], "%": [24, 25, 2, 4, 8, 19, 3], "_": [0, 0, 0, 0, 0, 0, 31],
    "<": [2, 4, 8, 16, 8, 4, 2], ">": [8, 4, 2, 1, 2, 4, 8], "(": [2, 4, 8, 8, 8, 4, 2],
    ")": [8, 4, 2, 2, 2, 4, 8], "[": [14, 8, 8, 8, 8, 8, 14], "]": [14, 2, 2, 2, 2, 2, 14],
    "&": [12, 18, 20, 8, 21, 18, 13], "#": [10, 10, 31, 10, 31, 10, 10],
  ]

  /// The width of a line of text in pixels.
  package static func width(_ text: String) -> Int { max(0, text.count * advance - 1) }
}

extension PixelImage {
  /// Draws a line of dark grey text onto an RGB picture; what lies outside is left out.
  ///
  /// - Parameter scale: pixels of the picture for a pixel of the font.
  mutating func draw(_ text: String, left: Int, top: Int, scale: Int) {
    for (number, character) in text.enumerated() {
      for (row, bits) in PixelFont.rows(character).enumerated() {
        for column in 0..<5 where bits >> UInt8(4 - column) & 1 == 1 {
          let x = left + (number * PixelFont.advance + column) * scale
          fill(x..<x + scale, top + row * scale..<top + (row + 1) * scale, with: 40)
        }
      }
    }
  }

  private mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, with value: UInt8) {
    for y in rows where y >= 0 && y < height {
      for x in columns where x >= 0 && x < width {
        for channel in 0..<3 { pixels[(y * width + x) * 3 + channel] = value }
      }
    }
  }
}
