import Foundation

/// The connections of a ``NetworkProxy``: one thread's own, without any lock.
struct Wire {
    /// One direction of a connection: what was read on one side and is to be written on the other.
    private struct Lane {
        var pieces: [(due: ContinuousClock.Instant, bytes: ArraySlice<UInt8>)] = []
        var hasEnded = false
        var size: Int { pieces.reduce(0) { $0 + $1.bytes.count } }
    }

    private struct Link {
        /// martlet's end; -1 when it was severed.
        var client: Int32
        let server: Int32
        var up = Lane()
        var down = Lane()
    }

    private let listener: Int32
    private let server: Int
    private var links: [Link] = []
    private var isRefusing = false
    private var allowance = 0.0
    private var lastTurn = ContinuousClock.now

    private static let most = 256 << 10

    init(listener: Int32, server: Int) {
        self.listener = listener
        self.server = server
        _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    }

    // MARK: Turning

    /// Waits for something to happen, at most 5 ms, and passes on what may pass.
    mutating func turn(_ conditions: NetworkProxy.Conditions, _ wake: Int32) {
        refuse(conditions.refuses)
        var interests = [
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isRefusing ? -1 : listener, events: Int16(POLLIN), revents: 0),
        ]
        for link in links {
            interests.append(Self.interest(link.client, reads: link.up, writes: link.down, conditions))
            interests.append(Self.interest(link.server, reads: link.down, writes: link.up, conditions))
        }
        let hasPieces = links.contains { !$0.up.pieces.isEmpty || !$0.down.pieces.isEmpty }
        poll(&interests, nfds_t(interests.count), hasPieces || conditions.isBlackHole ? 2 : 50)
        if interests[0].revents != 0 {
            var sink = [UInt8](repeating: 0, count: 64)
            while read(wake, &sink, sink.count) > 0 {}
        }
        earn(conditions)
        if interests[1].revents != 0 { accept() }
        guard !conditions.isBlackHole else { return }
        var dead: [Int] = []
        for place in links.indices where !pass(place, conditions) { dead.append(place) }
        for place in dead.reversed() { close(links.remove(at: place)) }
    }

    private static func interest(
        _ descriptor: Int32,
        reads: Lane,
        writes: Lane,
        _ conditions: NetworkProxy.Conditions
    ) -> pollfd {
        var events: Int32 = 0
        if !conditions.isBlackHole, !reads.hasEnded, reads.size < most { events |= POLLIN }
        // A descriptor without an interest would still report that its peer has gone, again and again.
        return pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0)
    }

    private mutating func earn(_ conditions: NetworkProxy.Conditions) {
        let now = ContinuousClock.now
        let spent = lastTurn.duration(to: now)
        lastTurn = now
        guard let rate = conditions.bytesPerSecond else { return allowance = .infinity }
        if allowance == .infinity { allowance = 0 }
        let seconds = Double(spent.components.seconds) + Double(spent.components.attoseconds) / 1e18
        allowance = min(Double(rate), allowance + seconds * Double(rate))
    }

    /// Reads and writes both directions of a link; false when both have ended.
    private mutating func pass(_ place: Int, _ conditions: NetworkProxy.Conditions) -> Bool {
        var link = links[place]
        let due = ContinuousClock.now + conditions.delay
        let isFine =
            (link.client < 0 || Self.take(from: link.client, into: &link.up, due))
            && Self.take(from: link.server, into: &link.down, due)
            && give(to: link.server, from: &link.up)
            && (link.client < 0 || give(to: link.client, from: &link.down))
        // Nobody reads what goes to an end that was severed.
        if link.client < 0 { link.down.pieces = [] }
        links[place] = link
        let isOver = link.up.hasEnded && link.up.pieces.isEmpty || link.down.hasEnded && link.down.pieces.isEmpty
        return isFine && !isOver
    }

    private static func take(from descriptor: Int32, into lane: inout Lane, _ due: ContinuousClock.Instant) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while !lane.hasEnded, lane.size < most {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                lane.pieces.append((due, buffer[..<count]))
            } else if count == 0 {
                lane.hasEnded = true
            } else {
                return errno == EAGAIN || errno == EINTR
            }
        }
        return true
    }

    private mutating func give(to descriptor: Int32, from lane: inout Lane) -> Bool {
        while let piece = lane.pieces.first, piece.due <= ContinuousClock.now, allowance >= 1 {
            let length = allowance == .infinity ? piece.bytes.count : min(piece.bytes.count, Int(allowance))
            let count = piece.bytes.prefix(length).withUnsafeBytes { bytes in
                send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
            }
            guard count >= 0 else { return errno == EAGAIN || errno == EINTR }
            allowance -= Double(count)
            lane.pieces[0].bytes = piece.bytes.dropFirst(count)
            if lane.pieces[0].bytes.isEmpty { lane.pieces.removeFirst() }
        }
        return true
    }

    // MARK: Connections

    private mutating func accept() {
        while true {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else { return }
            let upstream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard Self.withAddress(port: server, { connect(upstream, $0, $1) }) == 0 else {
                Foundation.close(upstream)
                Self.reset(client)
                continue
            }
            for descriptor in [client, upstream] {
                var one: Int32 = 1
                setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
            }
            links.append(Link(client: client, server: upstream))
        }
    }

    mutating func carryOut(_ order: NetworkProxy.Order) {
        switch order {
        case .cut:
            for link in links { close(link) }
            links = []
        case .sever:
            for place in links.indices where links[place].client >= 0 {
                Self.reset(links[place].client)
                links[place].client = -1
            }
        case .bury:
            for link in links where link.client < 0 { close(link) }
            links.removeAll { $0.client < 0 }
        }
    }

    /// Refuses connections by a port that is taken and not listened to, or listens again.
    ///
    /// The socket stays: a child that was forked just now would still listen on one that is closed here, and keep its port.
    private mutating func refuse(_ refuses: Bool) {
        guard refuses != isRefusing else { return }
        if refuses { shutdown(listener, Int32(SHUT_RD)) } else { listen(listener, 64) }
        isRefusing = refuses
    }

    mutating func closeAll() {
        carryOut(.cut)
        Foundation.close(listener)
    }

    private func close(_ link: Link) {
        if link.client >= 0 { Self.reset(link.client) }
        Self.reset(link.server)
    }

    /// Closes so that the other end is told at once that the connection is lost.
    private static func reset(_ descriptor: Int32) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Foundation.linger>.size))
        Foundation.close(descriptor)
    }

    /// A socket with a port of 127.0.0.1 of its own, which nobody listens on yet; -1 when there is none.
    static func bound() -> Int32 {
        for _ in 0..<100 {
            let any = bound(to: 0)
            let port = NetworkProxy.port(of: any)
            Foundation.close(any)
            // A port that was asked for by its number is kept when nobody listens any more (SOCK_BINDPORT_LOCK in Linux).
            let descriptor = bound(to: port)
            if descriptor >= 0 { return descriptor }
        }
        return -1
    }

    private static func bound(to port: Int) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard withAddress(port: port, { bind(descriptor, $0, $1) }) == 0 else {
            Foundation.close(descriptor)
            return -1
        }
        return descriptor
    }

    private static func withAddress(port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
