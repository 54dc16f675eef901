/// A list of faults, each with its moment: `following+120:cut/source/0/0 fenced+40:killMartlet/martlet/0/0`.
public struct FaultPlan: Sendable, Hashable, Codable {
    /// When something happens: so many milliseconds after a mark was reached for the first time.
    public struct Moment: Sendable, Hashable, Codable {
        /// The mark, whose names belong to the story that the faults disturb.
        public var mark: String
        /// The time after it.
        public var milliseconds: Int

        /// Describes a moment.
        public init(after mark: String, milliseconds: Int) {
            self.mark = mark
            self.milliseconds = milliseconds
        }
    }

    /// A fault at its moment.
    public struct Entry: Sendable, Hashable, Codable {
        /// When.
        public var moment: Moment
        /// What.
        public var fault: Fault

        /// Describes a fault at its moment.
        public init(_ moment: Moment, _ fault: Fault) {
            self.moment = moment
            self.fault = fault
        }
    }

    /// The faults; their order means nothing.
    public var entries: [Entry]

    /// Makes a plan.
    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    /// Reads what ``description`` has written; nil when it cannot be read.
    public init?(_ text: String) {
        var entries: [Entry] = []
        for word in text.split(separator: " ") {
            guard let match = word.wholeMatch(of: /(\w+)\+(\d+):(.+)/), let time = Int(match.2),
                let fault = Fault(match.3)
            else { return nil }
            entries.append(Entry(Moment(after: String(match.1), milliseconds: time), fault))
        }
        self.entries = entries
    }

    /// The shortest list of faults that still fails, as far as leaving out some of them shows it.
    ///
    /// Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002) over the
    /// list: at first halves are left out, then quarters, at last single faults. `tries` bounds how often
    /// `fails` is asked, for each question is a whole migration.
    public func shrunk(tries: Int, fails: (FaultPlan) async throws -> Bool) async rethrows -> FaultPlan {
        var (best, parts, asked) = (entries, 2, 0)
        while best.count > 1, asked < tries {
            let size = (best.count + parts - 1) / parts
            var isSmaller = false
            for start in stride(from: 0, to: best.count, by: size) where asked < tries {
                var rest = best
                rest.removeSubrange(start..<min(start + size, best.count))
                asked += 1
                if try await fails(FaultPlan(rest)) {
                    (best, parts, isSmaller) = (rest, max(parts - 1, 2), true)
                    break
                }
            }
            if isSmaller { continue }
            guard parts < best.count else { break }
            parts = min(parts * 2, best.count)
        }
        return FaultPlan(best)
    }
}

extension FaultPlan: CustomStringConvertible {
    /// The plan as one line.
    public var description: String {
        entries.map { "\($0.moment.mark)+\($0.moment.milliseconds):\($0.fault)" }.joined(separator: " ")
    }
}
