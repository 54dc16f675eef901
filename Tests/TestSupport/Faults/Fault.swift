import Foundation

/// Something that goes wrong: what, where, how badly, for how long.
///
/// It is written as one word, `blackhole/source/0/800`, so that a plan of faults is a line that can be read and replayed.
public struct Fault: Sendable, Hashable, Codable {
    /// What goes wrong.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// kill -9 of the martlet that runs the move.
        case killMartlet
        /// SIGSTOP of martlet; SIGCONT after the time.
        case stopMartlet
        /// SIGTERM of martlet.
        case endMartlet
        /// kill -9 of the server's main process, after which it is started again.
        case killServer
        /// The server is shut down fast and started again.
        case restartServer
        /// SIGSTOP of all of the server's processes; SIGCONT after the time.
        case stopServer
        /// Every connection between martlet and the server breaks.
        case cut
        /// As `cut`, but the server is told only after the time.
        case sever
        /// Every piece of data is late by `amount` milliseconds.
        case delay
        /// Only `amount` bytes a second pass.
        case throttle
        /// Nothing passes for the time.
        case blackHole
        /// No new connection is possible for the time.
        case refuse
        /// The disk is full for the time.
        case fillDisk
        /// martlet's clock is wrong by `amount` seconds.
        case jumpClock
    }

    /// Where it goes wrong.
    public enum Place: String, Sendable, Hashable, Codable, CaseIterable {
        /// The server that is moved from, or the way to it.
        case source
        /// The server that is moved to, or the way to it.
        case target
        /// martlet, or the machine it runs on.
        case martlet
    }

    /// What goes wrong.
    public var kind: Kind
    /// Where.
    public var place: Place
    /// How badly; what it counts depends on the kind.
    public var amount: Int
    /// For how long.
    public var milliseconds: Int

    /// Describes a fault.
    public init(_ kind: Kind, _ place: Place, amount: Int = 0, milliseconds: Int = 0) {
        self.kind = kind
        self.place = place
        self.amount = amount
        self.milliseconds = milliseconds
    }

    /// Reads what ``description`` has written.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/")
        guard parts.count == 4, let kind = Kind(rawValue: String(parts[0])),
            let place = Place(rawValue: String(parts[1])),
            let amount = Int(parts[2]), let milliseconds = Int(parts[3])
        else { return nil }
        self.init(kind, place, amount: amount, milliseconds: milliseconds)
    }

    /// A fault that a generator chooses.
    public static func random(using generator: inout SeededGenerator) -> Fault {
        let kinds: [Kind] = Kind.allCases + [.killMartlet, .killMartlet, .killServer, .killServer, .cut, .sever]
        let kind = generator.pick(kinds)
        let server = generator.pick([Place.source, .target])
        let time = Int.random(in: 50...1500, using: &generator)
        switch kind {
        case .killMartlet, .endMartlet: return Fault(kind, .martlet)
        case .stopMartlet: return Fault(kind, .martlet, milliseconds: time)
        case .jumpClock:
            return Fault(kind, .martlet, amount: generator.pick([-86_400, -90, 90, 86_400]), milliseconds: time * 2)
        case .killServer, .restartServer, .cut: return Fault(kind, server)
        case .stopServer, .sever, .blackHole, .refuse: return Fault(kind, server, milliseconds: time)
        case .delay: return Fault(kind, server, amount: Int.random(in: 5...60, using: &generator), milliseconds: time)
        case .throttle:
            return Fault(kind, server, amount: Int.random(in: 2_000...200_000, using: &generator), milliseconds: time)
        case .fillDisk: return Fault(kind, generator.pick(Place.allCases), milliseconds: time)
        }
    }
}

extension Fault: CustomStringConvertible {
    /// The fault as one word.
    public var description: String { "\(kind.rawValue)/\(place.rawValue)/\(amount)/\(milliseconds)" }
}
