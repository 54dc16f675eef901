import Cluster
import Foundation
import Postgres
import Synchronization
import TestSupport

/// Lets the faults of a plan happen, each at its moment, and mends what they broke.
struct StormFaults: Sendable {
    let world: StormWorld
    let marks: StormMarks
    let log: StormLog
    let martlet: RunningMartlet
    let clock: WrongClock?

    /// The martlet that runs the move now.
    final class RunningMartlet: Sendable {
        private let process = Mutex<Int32?>(nil)

        /// Notes the process, or that it has ended.
        func set(_ number: Int32?) { process.withLock { $0 = number } }

        /// Sends it a signal, if it runs.
        func signal(_ number: Int32) {
            process.withLock { process in
                if let process { kill(process, number) }
            }
        }
    }

    /// Runs until every fault has happened and is over, or the task is cancelled; then all is mended.
    ///
    /// Faults of one server that take it down happen one after the other.
    func run(_ plan: FaultPlan) async {
        await withTaskGroup(of: Void.self) { group in
            for place in Fault.Place.allCases {
                let here = plan.entries.filter { $0.fault.place == place }
                let (heavy, light) = (here.filter { Self.isHeavy($0.fault) }, here.filter { !Self.isHeavy($0.fault) })
                group.addTask { await inTurn(heavy) }
                for entry in light { group.addTask { await inTurn([entry]) } }
            }
        }
    }

    private static func isHeavy(_ fault: Fault) -> Bool {
        [.killServer, .restartServer, .stopServer, .fillDisk].contains(fault.kind)
    }

    /// Lets faults happen as their moments come, one after the other.
    private func inTurn(_ entries: [FaultPlan.Entry]) async {
        var waiting = entries
        while !waiting.isEmpty {
            let due = waiting.firstIndex { entry in
                guard let mark = marks[entry.moment.mark] else { return false }
                return mark + .milliseconds(entry.moment.milliseconds) <= .now
            }
            guard let due else {
                // A mark that is never reached ends with the task.
                do { try await untilMoment(.now + .milliseconds(2)) } catch { return }
                continue
            }
            let entry = waiting.remove(at: due)
            log.write("FAULT \(entry.fault)")
            do { try await happen(entry.fault) } catch { log.write("the fault \(entry.fault) failed: \(error)") }
            log.write("END OF FAULT \(entry.fault)")
        }
    }

    /// Undoes whatever may still be wrong; servers run again afterwards.
    func mend() async throws {
        for station in [world.source, world.target] {
            station.wire.change { $0 = NetworkProxy.Conditions() }
            station.wire.bury()
            station.disk?.free()
            try await station.server.start()
        }
        world.disk?.free()
        try clock?.jump(seconds: 0)
    }

    private func happen(_ fault: Fault) async throws {
        let station = fault.place == .target ? world.target : world.source
        switch fault.kind {
        case .killMartlet: martlet.signal(SIGKILL)
        case .endMartlet: martlet.signal(SIGTERM)
        case .stopMartlet:
            martlet.signal(SIGSTOP)
            try await last(fault)
            martlet.signal(SIGCONT)
        case .killServer:
            station.server.kill(SIGKILL)
            try await withoutCancellation {
                try await station.server.waitUntilGone()
                try await station.server.start()
            }
        case .restartServer: try await withoutCancellation { try await station.server.restart() }
        case .stopServer: try await halt(station.server, fault)
        case .cut: station.wire.cut()
        case .sever:
            station.wire.sever()
            try await last(fault)
            station.wire.bury()
        case .delay: try await lasting(fault, on: station.wire) { $0.delay = .milliseconds(fault.amount) }
        case .throttle: try await lasting(fault, on: station.wire) { $0.bytesPerSecond = fault.amount }
        case .blackHole: try await lasting(fault, on: station.wire) { $0.isBlackHole = true }
        case .refuse: try await lasting(fault, on: station.wire) { $0.refuses = true }
        case .fillDisk: try await fillDisk(fault, station)
        case .jumpClock:
            try clock?.jump(seconds: fault.amount)
            try await last(fault)
            try clock?.jump(seconds: 0)
        }
    }

    /// Waits for the end of a fault; one that must be taken back is not left when the test ends.
    private func last(_ fault: Fault) async throws {
        try await withoutCancellation { try await untilMoment(.now + .milliseconds(fault.milliseconds)) }
    }

    private func lasting(
        _ fault: Fault,
        on wire: NetworkProxy,
        _ change: (inout NetworkProxy.Conditions) -> Void
    ) async throws {
        wire.change(change)
        try await last(fault)
        wire.change { $0 = NetworkProxy.Conditions() }
    }

    private func halt(_ server: Server, _ fault: Fault) async throws {
        guard let main = server.process else { return }
        let processes = [main] + Self.children(of: main)
        for process in processes { kill(process, SIGSTOP) }
        try await last(fault)
        for process in processes.reversed() { kill(process, SIGCONT) }
    }

    private func fillDisk(_ fault: Fault, _ station: StormWorld.Station) async throws {
        guard let disk = fault.place == .martlet ? world.disk : station.disk else { return }
        try disk.fill()
        try await last(fault)
        disk.free()
        guard fault.place != .martlet else { return }
        // A server that cannot write its log panics, and gives up when it cannot write it while it recovers, either.
        try await withoutCancellation { try await station.server.start() }
    }

    /// The processes whose parent is `parent`, by /proc.
    private static func children(of parent: Int32) -> [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { process in
            // One that has ended meanwhile has no file any more.
            let line = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
            let fields = line.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && fields[1] == "\(parent)"
        }
    }
}
