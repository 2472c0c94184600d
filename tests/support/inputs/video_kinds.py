"""The containers and codecs of which there is a case: how a clip of each is encoded."""

from __future__ import annotations

from video_clips import COUNT, Clip

X264 = {"qp": "1", "bf": "3"}
QUIET = {"x265-params": "log-level=none"}
MPEG = {"qmin": "1", "qmax": "1", "b": "20M", "maxrate": "20M", "bufsize": "4M"}


CONTAINERS = {  # name: file, how it is encoded, how near lossy codecs come
    "MP4": ("clip.mp4", Clip("libx264", "mp4", options=X264), 3),
    "MP4, index first": ("clip.mp4", Clip("libx264", "mp4", options=X264, container={"movflags": "faststart"}), 3),
    "MP4, fragmented": (
        "clip.mp4",
        Clip("libx264", "mp4", options={**X264, "g": "3"}, container={"movflags": "frag_keyframe+empty_moov"}),
        3,
    ),
    "MP4, HEVC": ("clip.mp4", Clip("libx265", "mp4", options={**QUIET, "crf": "1"}), 4),
    "M4V": ("clip.m4v", Clip("libx264", "ipod", options=X264), 3),
    "3GP": ("clip.3gp", Clip("libx264", "3gp", options=X264), 3),
    "MOV": ("clip.mov", Clip("prores_ks", "mov", "yuv422p10le"), 3),
    "MKV": ("clip.mkv", Clip("libx264", "matroska", options=X264), 3),
    "MKV, live": ("clip.mkv", Clip("ffv1", "matroska", container={"live": "1"}), 1),
    "WebM, VP9": ("clip.webm", Clip("libvpx-vp9", "webm", options={"lossless": "1"}), 1),
    "WebM, VP8": ("clip.webm", Clip("libvpx", "webm", options={"crf": "4", "b": "9M", "auto-alt-ref": "1"}), 4),
    "AVI": ("clip.avi", Clip("mpeg4", "avi", options=MPEG), 4),
    "AVI, Motion JPEG": ("clip.avi", Clip("mjpeg", "avi", "yuvj420p", options=MPEG, full=True), 4),
    "Y4M": ("clip.y4m", Clip("rawvideo", "yuv4mpegpipe"), 1),
    "TS": ("clip.ts", Clip("libx264", "mpegts", options=X264), 3),
    "M2TS": ("clip.m2ts", Clip("libx264", "mpegts", options=X264, container={"mpegts_m2ts_mode": "1"}), 3),
    "MPEG program stream": ("clip.mpg", Clip("mpeg2video", "mpeg", options=MPEG), 4),
    "VOB": ("clip.vob", Clip("mpeg2video", "vob", options=MPEG), 4),
    "Ogg": ("clip.ogv", Clip("libvpx", "ogv", options={"crf": "4", "b": "9M"}), 4),
    "FLV": ("clip.flv", Clip("libx264", "flv", options=X264), 3),
    "WMV": ("clip.wmv", Clip("wmv2", "asf", options=MPEG), 4),
    "MXF": ("clip.mxf", Clip("mpeg2video", "mxf", options=MPEG), 4),
}
ALL = tuple(range(COUNT))
MP4 = CONTAINERS["MP4"][1]
Y4M = CONTAINERS["Y4M"][1]
FFV1 = Clip("ffv1", "matroska")
GROWN = Clip("mjpeg", "matroska", "yuvj420p", full=True, grown=True)
RGB = {  # container, codec, pixel format: lossless RGB
    "FFV1 (bgr0)": ("clip.mkv", Clip("ffv1", "matroska", "bgr0")),
    "FFV1 (gbrp10)": ("clip.mkv", Clip("ffv1", "matroska", "gbrp10le")),
    "FFV1 (gbrp16)": ("clip.mkv", Clip("ffv1", "matroska", "gbrp16le")),
    "H.264 RGB": ("clip.mkv", Clip("libx264rgb", "matroska", "rgb24", options={"qp": "0"})),
    "HEVC RGB": (
        "clip.mp4",
        Clip("libx265", "mp4", "gbrp", options={"x265-params": "lossless=1:log-level=none"}),
    ),
    "VP9 RGB": ("clip.webm", Clip("libvpx-vp9", "webm", "gbrp", options={"lossless": "1"})),
    "Ut Video": ("clip.avi", Clip("utvideo", "avi", "gbrp")),
    "HuffYUV": ("clip.avi", Clip("huffyuv", "avi", "rgb24")),
    "FFVHuff": ("clip.avi", Clip("ffvhuff", "avi", "gbrp")),
    "MagicYUV": ("clip.avi", Clip("magicyuv", "avi", "gbrp")),
    "PNG": ("clip.mov", Clip("png", "mov", "rgb24")),
    "PNG of 16 bits": ("clip.mov", Clip("png", "mov", "rgb48be")),
    "QuickTime Animation": ("clip.mov", Clip("qtrle", "mov", "rgb24")),
    "uncompressed (rgb24)": ("clip.mov", Clip("rawvideo", "mov", "rgb24")),
    "uncompressed (bgr24)": ("clip.avi", Clip("rawvideo", "avi", "bgr24")),
}
CLEAR = {  # with transparency
    "VP9": ("clip.webm", Clip("libvpx-vp9", "webm", "yuva420p", options={"crf": "20", "b": "0"}), "alpha_mode=1"),
    "VP8": ("clip.webm", Clip("libvpx", "webm", "yuva420p", options={"auto-alt-ref": "0"}), "alpha_mode=1"),
    "FFV1": ("clip.mkv", Clip("ffv1", "matroska", "yuva420p"), "yuva420p"),
    "ProRes 4444": ("clip.mov", Clip("prores_ks", "mov", "yuva444p10le"), "yuva444p12le"),
    "QuickTime Animation": ("clip.mov", Clip("qtrle", "mov", "argb"), "argb"),
    "PNG": ("clip.mov", Clip("png", "mov", "rgba"), "rgba"),
}
TAGS = {  # what a file may name besides its matrix, as options of an encoder
    "PQ": ({"color_trc": "smpte2084"}, "its transfer is PQ"),
    "HLG": ({"color_trc": "arib-std-b67"}, "its transfer is HLG"),
    "linear light": ({"color_trc": "linear"}, "its transfer is linear"),
    "BT.2020": ({"color_primaries": "bt2020"}, "its primaries are BT.2020's"),
    "Display P3": ({"color_primaries": "smpte432"}, "its primaries are Display P3's"),
}


BIG = Clip("mpeg2video", "mpegts", options={**MPEG, "g": "1"}, size=(240, 320))  # many packets a frame
