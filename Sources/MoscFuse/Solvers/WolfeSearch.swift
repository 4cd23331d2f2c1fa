/// A line search for a step length that meets the strong Wolfe conditions: bracketing, then zooming
/// by cubic interpolation, with the constants and the give-up rules of PyTorch.
struct WolfeSearch {
  /// A trial.
  struct Point {
    var length: Double
    var loss: Double
    var gradient: Matrix
    var slope: Double
  }

  var origin: Matrix
  var direction: Matrix
  var loss: Double
  var gradient: Matrix
  var slope: Double

  private let sufficientDecrease = 1e-4
  private let curvature = 0.9
  private let narrowest = 1e-9
  private let mostTrials = 25

  init(origin: Matrix, direction: Matrix, loss: Double, gradient: Matrix, slope: Double) {
    self.origin = origin
    self.direction = direction
    self.loss = loss
    self.gradient = gradient
    self.slope = slope
  }

  /// The step to take, the first trial being `length` long.
  func run<O: LBFGS.Objective>(
    from length: Double, _ search: inout LBFGS.Search<O>
  ) -> Point {
    let start = Point(length: 0, loss: loss, gradient: gradient, slope: slope)
    var before = start
    var point = trial(length, &search)
    var trials = 0
    var bracket: (Point, Point)?
    while trials < mostTrials {
      if isTooHigh(point) || (trials > 1 && point.loss >= before.loss) {
        bracket = (before, point)
        break
      }
      if isFlat(point) { return point }
      if point.slope >= 0 {
        bracket = (before, point)
        break
      }
      let bounds = (
        point.length + 0.01 * (point.length - before.length), point.length * 10
      )
      let next = Self.minimum(before, point, bounds)
      before = point
      point = trial(next, &search)
      trials += 1
    }
    return zoom(bracket ?? (start, point), trials, &search)
  }

  private func zoom<O: LBFGS.Objective>(
    _ ends: (Point, Point), _ done: Int, _ search: inout LBFGS.Search<O>
  ) -> Point {
    var ends = [ends.0, ends.1]
    var trials = done
    var stalled = false
    var low = ends[0].loss <= ends[1].loss ? 0 : 1
    while trials < mostTrials {
      let left = min(ends[0].length, ends[1].length)
      let right = max(ends[0].length, ends[1].length)
      if !search.objective.exceeds(direction, narrowest / (right - left)) { break }
      var length = Self.minimum(ends[0], ends[1], (left, right))
      let margin = 0.1 * (right - left)
      if min(right - length, length - left) < margin {
        // Twice in a row next to an end: the interpolation is of no help.
        if stalled || length >= right || length <= left {
          length = abs(length - right) < abs(length - left) ? right - margin : left + margin
          stalled = false
        } else {
          stalled = true
        }
      } else {
        stalled = false
      }
      let point = trial(length, &search)
      trials += 1
      if isTooHigh(point) || point.loss >= ends[low].loss {
        ends[1 - low] = point
        low = ends[0].loss <= ends[1].loss ? 0 : 1
        continue
      }
      let isDone = isFlat(point)
      if !isDone, point.slope * (ends[1 - low].length - ends[low].length) >= 0 {
        ends[1 - low] = ends[low]
      }
      ends[low] = point
      if isDone { break }
    }
    return ends[low]
  }

  private func trial<O: LBFGS.Objective>(
    _ length: Double, _ search: inout LBFGS.Search<O>
  ) -> Point {
    var place = origin
    place.add(direction, scale: length)
    let (loss, gradient) = search.evaluate(place)
    return Point(
      length: length, loss: loss, gradient: gradient, slope: gradient.dot(direction))
  }

  private func isTooHigh(_ point: Point) -> Bool {
    point.loss > loss + sufficientDecrease * point.length * slope
  }

  private func isFlat(_ point: Point) -> Bool { abs(point.slope) <= -curvature * slope }

  /// The minimum of the cubic through two points with their slopes, within bounds.
  private static func minimum(_ a: Point, _ b: Point, _ bounds: (Double, Double)) -> Double {
    let (a, b) = a.length <= b.length ? (a, b) : (b, a)
    let width = b.length - a.length
    let d = a.slope + b.slope - 3 * (b.loss - a.loss) / width
    let square = d * d - a.slope * b.slope
    guard square >= 0 else { return (bounds.0 + bounds.1) / 2 }
    let root = square.squareRoot()
    let place = b.length - width * ((b.slope + root - d) / (b.slope - a.slope + 2 * root))
    guard place.isFinite else { return (bounds.0 + bounds.1) / 2 }
    return min(max(place, bounds.0), bounds.1)
  }
}
