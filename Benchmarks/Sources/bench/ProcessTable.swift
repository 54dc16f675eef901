import Foundation

/// What the system tells of all processes (proc(5)).
struct ProcessTable {
    private struct Entry {
        let parent: pid_t
        let own: Double
        let children: Double
    }

    private let entries: [pid_t: Entry]

    static func read() -> ProcessTable {
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        var entries: [pid_t: Entry] = [:]
        // A process that ends while we look is left out.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let process = pid_t(name),
                let text = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let close = text.lastIndex(of: ")")
            else { continue }
            let fields = text[close...].split(separator: " ").dropFirst()
            let numbers = fields.map { Double($0) ?? 0 }
            // After the name: state, ppid, …, utime (field 14 of all), stime, cutime, cstime.
            guard numbers.count > 14 else { continue }
            entries[process] = Entry(
                parent: pid_t(numbers[1]),
                own: (numbers[11] + numbers[12]) / ticks,
                children: (numbers[13] + numbers[14]) / ticks
            )
        }
        return ProcessTable(entries: entries)
    }

    /// A process and all that descend from it.
    func descendants(of root: pid_t) -> [pid_t] {
        var found = [root]
        var next = 0
        while next < found.count {
            found += entries.filter { $0.value.parent == found[next] }.map(\.key)
            next += 1
        }
        return found
    }

    func seconds(_ process: pid_t, withChildren: Bool) -> Double {
        guard let entry = entries[process] else { return 0 }
        return entry.own + (withChildren ? entry.children : 0)
    }

    /// A server's processor seconds: its main process, the sessions that have ended, and those that live.
    func seconds(ofServer main: pid_t) -> Double {
        descendants(of: main).map { seconds($0, withChildren: $0 == main) }.reduce(0, +)
    }
}
